// `knn`, `linear` and `compare` on small pictures.
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "job/job_spec.h"
#include "worker/tools/testing/tools_fixture.h"
#include "worker/tools/tools.h"

namespace mimeo {
namespace {

using ::testing::HasSubstr;
using testing::LabelledToolsTest;

TEST_F(LabelledToolsTest, KnnPrintsOneJsonObject) {
  const auto json = Result(RunKnn, {"--k=3"});
  EXPECT_EQ(json.at("images"), 6);
  EXPECT_EQ(json.at("bank_images"), 6);
  EXPECT_EQ(json.at("unlabelled"), 0);
  EXPECT_EQ(json.at("majority_rate"), 0.5);
  EXPECT_EQ(json.at("knn_raw_pixels"), 1.0);
  EXPECT_EQ(json.at("k"), 3);
  EXPECT_EQ(json.at("temperature"), 0.07);
  // One definition, chosen before anything was measured; the class token's stands beside it.
  EXPECT_EQ(json.at("knn_accuracy"), json.at("knn_accuracy_patch_mean"));
  EXPECT_TRUE(json.contains("knn_accuracy_class"));
}

TEST_F(LabelledToolsTest, KnnSaysTheKThatWasUsed) {
  EXPECT_EQ(Result(RunKnn, {}).at("k"), 6);
  EXPECT_THAT(said_, HasSubstr("--k=20 is more than the bank's 6 images: all of them vote"));
}

TEST_F(LabelledToolsTest, ImagesWithoutLabelAreLeftOutByName) {
  WritePicture("split/train/none.png", 0);
  WritePicture("split/validation/neither.png", 1);
  const auto json = Result(RunKnn, {"--k=3"});
  EXPECT_EQ(json.at("images"), 6);
  EXPECT_EQ(json.at("bank_images"), 6);
  EXPECT_EQ(json.at("unlabelled"), 1);
  EXPECT_EQ(json.at("bank_unlabelled"), 1);
  EXPECT_THAT(
      said_,
      HasSubstr(
          "6 of 7 images have a label; 6 of them are measured, in 2 classes; left out for want of a label: none.png"));
  EXPECT_THAT(said_, HasSubstr("left out for want of a label: neither.png"));
}

TEST_F(LabelledToolsTest, MaxImagesIsSpreadOverTheClasses) {
  for (int i = 6; i < 20; ++i) {
    WritePicture(absl::StrCat("split/validation/", i % 2 ? "up" : "down", "/", i, ".png"), i);
  }
  const auto json = Result(RunKnn, {"--k=3", "--max_images=4"});
  EXPECT_EQ(json.at("images"), 4);
  EXPECT_EQ(json.at("bank_images"), 4);
  EXPECT_EQ(json.at("majority_rate"), 0.5) << "two of each class, and not the first four by name";
}

TEST_F(LabelledToolsTest, LinearSaysWhatTheMeanPatchTokenGives) {
  for (int i = 6; i < 20; ++i) WritePicture(absl::StrCat("split/train/", i % 2 ? "up" : "down", "/", i, ".png"), i);
  const auto json = Result(RunLinear, {});
  EXPECT_EQ(json.at("linear_accuracy"), json.at("linear_accuracy_patch_mean"));
  EXPECT_TRUE(json.contains("linear_accuracy_class"));
  EXPECT_EQ(json.at("bank_images"), 20);
}

TEST_F(LabelledToolsTest, ClassesCountAlikeInTheBalancedAccuracy) {
  for (int i = 6; i < 12; i += 2) WritePicture(absl::StrCat("split/validation/down/", i, ".png"), i);
  WritePicture("split/validation/fox/0.png", 0);  // the bank has none
  const auto json = Result(RunKnn, {"--k=3"});
  EXPECT_EQ(json.at("images"), 10);
  const auto& classes = json.at("classes");
  ASSERT_EQ(classes.size(), 3u);
  EXPECT_EQ(classes[0].at("name"), "down");
  EXPECT_EQ(classes[0].at("images"), 6);
  EXPECT_EQ(classes[2].at("name"), "fox");
  EXPECT_EQ(classes[2].at("knn"), 0);
  const double down = classes[0].at("knn"), up = classes[1].at("knn");
  EXPECT_NEAR(json.at("knn_accuracy"), (6 * down + 3 * up) / 10, 1e-12);
  EXPECT_NEAR(json.at("knn_balanced_accuracy"), (down + up) / 3, 1e-12);
  EXPECT_EQ(json.at("knn_raw_pixels"), 0.9);
  EXPECT_NEAR(json.at("knn_raw_pixels_balanced"), 2.0 / 3, 1e-12);
  ASSERT_EQ(json.at("notes").size(), 1u);
  EXPECT_THAT(json.at("notes")[0].get<std::string>(), HasSubstr("images of 1 classes that --bank="));
}

// In the JSON, and not on stderr alone.
TEST_F(LabelledToolsTest, WhatIsLeftOutStandsInTheResult) {
  ASSERT_OK(WriteFileAtomic(Path("split/validation/up/broken.png"), "text"));
  ASSERT_OK(WriteFileAtomic(Path("split/train/up/.hidden.png"), "text"));
  const auto knn = Result(RunKnn, {"--k=3"});
  EXPECT_EQ(knn.at("left_out").at("undecodable").at("count"), 1);
  EXPECT_THAT(knn.at("left_out").at("undecodable").at("names")[0].get<std::string>(), HasSubstr("up/broken.png: "));
  EXPECT_EQ(knn.at("left_out").at("passed_over").size(), 0u);
  EXPECT_EQ(knn.at("bank_left_out").at("passed_over")[0].at("reason"), "hidden files");
  EXPECT_EQ(knn.at("bank_left_out").at("undecodable").at("count"), 0);
  const auto compared = Result(RunCompare, {});
  EXPECT_EQ(compared.at("judged").at("undecodable").at("count"), 1);
  EXPECT_EQ(compared.at("bank").at("passed_over")[0].at("count"), 1);
}

TEST_F(LabelledToolsTest, ALineForAPersonHasNoTime) {
  Result(RunKnn, {});
  EXPECT_THAT(said_, ::testing::StartsWith("knn: weights file="));
}

// What `compare` says of each row, by name.
std::map<std::string, nlohmann::json> RowsOf(const nlohmann::json& compared) {
  std::map<std::string, nlohmann::json> rows;
  for (const auto& row : compared.at("rows")) rows[row.at("name").get<std::string>()] = row;
  return rows;
}

TEST_F(LabelledToolsTest, CompareMeasuresEveryRowOnTheSameImages) {
  for (int i = 6; i < 20; ++i) WritePicture(absl::StrCat("split/train/", i % 2 ? "up" : "down", "/", i, ".png"), i);
  ASSERT_OK(WriteFileAtomic(Path("job.textproto"), JobSpecText(spec_)));
  const auto json = Result(
      RunCompare, {"--job", Path("job.textproto"), "--against", absl::StrCat("same=", Path("checkpoint.safetensors"))});
  EXPECT_EQ(json.at("judged").at("images"), 6);
  EXPECT_EQ(json.at("judged").at("classes"), 2);
  EXPECT_EQ(json.at("bank").at("images"), 20);
  EXPECT_EQ(json.at("k"), 20);
  EXPECT_EQ(json.at("start").at("kind"), "untrained");
  const auto rows = RowsOf(json);
  ASSERT_EQ(rows.size(), 5u);
  EXPECT_EQ(json.at("rows")[0].at("name"), "encoder");
  EXPECT_EQ(rows.at("majority").at("knn"), 0.5);
  EXPECT_EQ(rows.at("majority").at("probe_balanced"), 0.5);
  EXPECT_EQ(rows.at("raw_pixels").at("probe"), 1);
  // The checkpoint is what the job's seed draws: the encoder is its own start.
  for (const char* measure : {"knn", "knn_balanced", "probe", "probe_balanced"}) {
    EXPECT_EQ(rows.at("start").at(measure), rows.at("encoder").at(measure)) << measure;
    EXPECT_EQ(rows.at("same").at(measure), rows.at("encoder").at(measure)) << measure;
  }
  ASSERT_EQ(json.at("differences").size(), 8u);
  for (const auto& difference : json.at("differences")) {
    const std::string against = difference.at("against"), measure = difference.at("measure");
    EXPECT_NEAR(difference.at("points"),
                100 * (rows.at("encoder").at(measure).get<double>() - rows.at(against).at(measure).get<double>()),
                1e-9);
    EXPECT_LT(difference.at("low"), difference.at("points"));
    EXPECT_GT(difference.at("high"), difference.at("points"));
  }
  EXPECT_EQ(json.at("classes")[1].at("name"), "up");
  EXPECT_EQ(json.at("classes")[1].at("images"), 3);
  // Against the number that `knn` says of the same encoder.
  EXPECT_EQ(Result(RunKnn, {}).at("knn_accuracy"), rows.at("encoder").at("knn"));
  EXPECT_EQ(Result(RunLinear, {}).at("linear_accuracy"), rows.at("encoder").at("probe"));
}

// A part of one folder is judged by the rest. Equal pictures are on one side, so no picture is judged by its copy.
TEST_F(LabelledToolsTest, AHeldOutPartIsJudgedByTheRest) {
  for (int i = 0; i < 60; ++i) WritePicture(absl::StrCat("split/more/", i % 2 ? "up" : "down", "/", i, ".png"), i);
  data_ = "split/more";
  const auto json = Result(RunCompare, {"--hold_out=0.3"});
  const int64_t judged = json.at("judged").at("images"), bank = json.at("bank").at("images");
  EXPECT_EQ(judged + bank, 60);
  EXPECT_GT(judged, 5);
  EXPECT_LT(judged, 40);
  EXPECT_EQ(json.at("hold_out"), 0.3);
  EXPECT_EQ(Result(RunKnn, {"--hold_out=0.3"}).at("images"), judged);
  // A job says itself what it does not train on.
  spec_.mutable_evaluation()->set_hold_out(0.3);
  ASSERT_OK(WriteFileAtomic(Path("job.textproto"), JobSpecText(spec_)));
  EXPECT_EQ(Result(RunCompare, {"--job", Path("job.textproto")}).at("judged").at("images"), judged);
}

TEST_F(LabelledToolsTest, ASmallBankHasNoProbe) {
  const auto json = Result(RunCompare, {});
  EXPECT_TRUE(json.at("rows")[0].at("probe").is_null());
  EXPECT_FALSE(json.at("classes")[0].contains("probe"));
  EXPECT_THAT(json.at("notes")[0].get<std::string>(), HasSubstr("a linear probe needs 10"));
  for (const auto& difference : json.at("differences")) EXPECT_EQ(difference.at("measure"), "knn");
}

// What the job started from is then a file.
TEST_F(LabelledToolsTest, AStartOfWeightsIsMeasuredAsThatFile) {
  spec_.set_seed(6);
  WriteCheckpoint();
  const std::string other = Path("other.safetensors");
  ASSERT_OK(WriteFileAtomic(other, ReadFile(Path("checkpoint.safetensors")).value()));
  spec_.set_seed(5);
  WriteCheckpoint();
  spec_.set_init_weights(other);
  ASSERT_OK(WriteFileAtomic(Path("job.textproto"), JobSpecText(spec_)));
  const auto json = Result(RunCompare, {"--job", Path("job.textproto"), "--against", absl::StrCat("file=", other)});
  EXPECT_EQ(json.at("start").at("kind"), "weights");
  EXPECT_EQ(json.at("start").at("weights"), other);
  const auto rows = RowsOf(json);
  EXPECT_EQ(rows.at("start").at("knn"), rows.at("file").at("knn"));
}

TEST_F(LabelledToolsTest, CompareRefusesRowsThatCannotBe) {
  ASSERT_OK(WriteFileAtomic(Path("job.textproto"), "seed: 5 widht: 3"));
  const std::string weights = Path("checkpoint.safetensors");
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"--against", "dino"}, "--against=dino: should be NAME=PATH"},
      {{"--against", absl::StrCat("start=", weights)}, "there is a row \"start\" already"},
      {{"--against", absl::StrCat("a=", weights), "--against", absl::StrCat("a=", weights)}, "a row \"a\" already"},
      {{"--against", "a=/nowhere"}, "/nowhere"},
      {{"--job", Path("job.textproto")}, "unknown field \"widht\""},
      {{"--job", Path("none")}, "none"},
      {{"--bank", Path("split"), "--hold_out=0.1"}, "--bank excludes --hold_out"},
      {{"--hold_out=0.0001"}, "--hold_out=0.0001: "},
  };
  for (const auto& [flags, says] : cases) {
    std::vector<std::string> arguments = {"compare", "--weights", weights, "--data", Path("split")};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    ::testing::internal::CaptureStderr();
    const int code = testing::CallTool(RunCompare, arguments);
    const std::string said = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(code, 2) << said;
    EXPECT_THAT(said, HasSubstr(says));
  }
}

}  // namespace
}  // namespace mimeo
