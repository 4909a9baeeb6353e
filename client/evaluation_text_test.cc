#include "client/evaluation_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/columns.h"
#include "base/testing/status_matchers.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::StatusIs;

void ExpectNarrow(const std::string& text) {
  for (const absl::string_view line : absl::StrSplit(text, '\n')) EXPECT_LE(ColumnsOf(line), 80u) << line;
}

constexpr char kKnn[] =
    R"({"knn_accuracy": 0.5, "knn_balanced_accuracy": 0.45, "knn_accuracy_class": 0.25, "majority_rate": 0.125,
        "knn_raw_pixels": 0.375, "knn_raw_pixels_balanced": 0.3, "k": 20, "temperature": 0.07, "images": 8,
        "bank_images": 60, "classes": [{"name": "hat", "images": 6, "knn": 0.5}, {"name": "shoe", "images": 2, "knn": 0.4}],
        "left_out": {"passed_over": [{"reason": "hidden files", "count": 2, "names": [".x"]}],
                     "undecodable": {"count": 3, "names": ["a.jpg: not a JPEG"]}}, "notes": []})";

TEST(EvaluationTextTest, KnnIsATable) {
  ASSERT_OK_AND_ASSIGN(const std::string text, EvaluationText("knn", kKnn));
  EXPECT_EQ(text,
            "8 images judged by 60 images of the bank; k-NN: k 20, temperature 0.07\n\n"
            "FEATURES                   K-NN   BALANCED\n"
            "encoder, mean patch token  0.500  0.450\n"
            "encoder, class token       0.250  -\n"
            "raw pixels                 0.375  0.300\n"
            "most frequent class        0.125  -\n\n"
            "CLASS  IMAGES  K-NN\n"
            "hat    6       0.500\n"
            "shoe   2       0.400\n\n"
            "passed over in the judged images: 2 hidden files\n"
            "left out of the judged images: 3 images that cannot be decoded; the first:\n"
            "  a.jpg: not a JPEG\n");
  ExpectNarrow(text);
}

TEST(EvaluationTextTest, LinearHasNoClassTokenWhereTheEncoderHasNone) {
  ASSERT_OK_AND_ASSIGN(const std::string text,
                       EvaluationText("linear", R"({"linear_accuracy": 1, "images": 1, "bank_images": 10})"));
  EXPECT_THAT(text, HasSubstr("1 image judged by 10 images of the bank\n"));
  EXPECT_THAT(text, HasSubstr("encoder, mean patch token  1.000"));
  EXPECT_THAT(text, Not(HasSubstr("class token")));
}

TEST(EvaluationTextTest, CompareShowsRowsAndDifferences) {
  const std::string name(60, 'n');
  ASSERT_OK_AND_ASSIGN(
      const std::string text,
      EvaluationText(
          "compare",
          absl::StrCat(
              R"({"judged": {"images": 341, "classes": 10}, "bank": {"images": 2727}, "k": 20, "temperature": 0.07,
                  "rows": [{"name": "encoder", "knn": 0.6, "knn_balanced": 0.58, "probe": 0.7, "probe_balanced": 0.69},
                           {"name": "raw_pixels", "knn": 0.5, "knn_balanced": 0.4, "probe": null},
                           {"name": ")",
              name, R"(", "knn": 0.9}],
                  "differences": [{"of": "encoder", "against": "raw_pixels", "measure": "knn", "points": 10, "low": 4.26, "high": 15.5},
                                  {"of": "encoder", "against": ")",
              name, R"(", "measure": "probe", "points": -100, "low": -100, "high": -98.7}],
                  "classes": [{"name": "a )",
              name, R"(", "images": 341, "knn": 0.6, "probe": 0.7}],
                  "notes": ["--data: 3 of 8 images have a label, and this sentence is longer than a line of eighty columns"]})")));
  ExpectNarrow(text);
  EXPECT_THAT(text, HasSubstr("341 images of 10 classes judged by 2727 images of the bank; k-NN: k 20,\n"));
  EXPECT_THAT(text, HasSubstr("raw pixels                            0.500  0.400     -      -\n"));
  EXPECT_THAT(text, HasSubstr("raw pixels                +10.0 (+4.3 to +15.5)  -\n"));
  EXPECT_THAT(text, HasSubstr("-                      -100.0 (-100.0 to -98.7)\n"));
  EXPECT_THAT(text, HasSubstr("They do not cover another seed"));
}

TEST(EvaluationTextTest, TheRowOfTheStartSaysWhatItIs) {
  const auto text = [](const std::string& kind) {
    return EvaluationText("compare", absl::StrCat(R"({"start": {"kind": ")", kind,
                                                  R"("}, "rows": [{"name": "encoder"}, {"name": "start", "knn": 0.5}],
        "differences": [{"against": "start", "measure": "knn", "points": 10, "low": 4, "high": 15}]})"))
        .value_or("");
  };
  EXPECT_THAT(text("untrained"), AllOf(HasSubstr("untrained encoder  0.500"), HasSubstr("untrained encoder  +10.0 (")));
  EXPECT_THAT(text("weights"),
              AllOf(HasSubstr("weights it started from  0.500"), HasSubstr("weights it started from  +10.0 (")));
  EXPECT_THAT(text("weights"), Not(HasSubstr("\nstart")));
  ExpectNarrow(text("weights"));
}

TEST(EvaluationTextTest, WhatIsNoObjectIsRefused) {
  EXPECT_THAT(EvaluationText("knn", "{\"a\": "), StatusIs(absl::StatusCode::kDataLoss, "worker knn printed no JSON"));
  EXPECT_OK(
      EvaluationText("compare", R"({"rows": 7, "judged": [], "differences": [3], "classes": [null], "notes": [1]})")
          .status());
}

}  // namespace
}  // namespace mimeo
