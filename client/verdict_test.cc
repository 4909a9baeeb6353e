#include "client/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace mimeo {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using Json = nlohmann::json;

struct Interval {
  double points, low, high;
};

Json DifferenceTo(const std::string& against, const std::string& measure, const Interval& found) {
  return {{"of", "encoder"},        {"against", against}, {"measure", measure},
          {"points", found.points}, {"low", found.low},   {"high", found.high}};
}

// As `worker compare` prints it, of 341 photos.
Json Comparison(const Interval& knn, const Interval& probe, const Interval& knn_pixels, const Interval& probe_pixels) {
  return {{"judged", {{"images", 341}, {"classes", 10}}},
          {"start", {{"kind", "untrained"}}},
          {"rows", {{{"name", "encoder"}, {"knn", 0.612}, {"probe", 0.7}}}},
          {"differences",
           {DifferenceTo("start", "knn", knn), DifferenceTo("start", "probe", probe),
            DifferenceTo("raw_pixels", "knn", knn_pixels), DifferenceTo("raw_pixels", "probe", probe_pixels),
            DifferenceTo("majority", "knn", {50, 44, 55}), DifferenceTo("majority", "probe", {59, 53, 64})}}};
}

constexpr Interval kBetter = {12.3, 8.1, 16.2};
constexpr Interval kWorse = {-6.5, -9.9, -3.1};
constexpr Interval kEqual = {0.3, -3.7, 4.3};

TEST(VerdictTest, ABetterEncoderIsWorthUsing) {
  const std::vector<std::string> lines = VerdictLines(Comparison(kBetter, {20, 15, 25}, kBetter, kBetter));
  ASSERT_THAT(lines, SizeIs(6));
  EXPECT_EQ(lines[0],
            "Of 341 photos that were judged, in 10 classes, the encoder finds the right class for 61.2 % by k-NN and "
            "for 70.0 % by linear probe.");
  EXPECT_EQ(lines[1],
            "It is better than the untrained encoder by 12.3 points by k-NN (8.1 to 16.2), and by 20.0 points by "
            "linear probe (15.0 to 25.0).");
  EXPECT_THAT(lines[2], HasSubstr("better than raw pixels"));
  EXPECT_THAT(lines[3], HasSubstr("better than always saying the most frequent class by 50.0 points"));
  EXPECT_THAT(lines[5], HasSubstr("It is worth using."));
}

TEST(VerdictTest, AWorseEncoderIsCalledWorse) {
  const std::vector<std::string> lines = VerdictLines(Comparison(kBetter, kBetter, kWorse, kWorse));
  EXPECT_EQ(lines[2],
            "It is worse than raw pixels (32 x 32) by 6.5 points by k-NN (3.1 to 9.9), and by 6.5 points by "
            "linear probe (3.1 to 9.9).");
  EXPECT_THAT(lines[5], HasSubstr("Do not use this encoder yet. Next: start from released weights (--from)"));
}

TEST(VerdictTest, NoDifferenceIsNoWin) {
  const std::vector<std::string> lines = VerdictLines(Comparison(kEqual, kEqual, kBetter, kBetter));
  EXPECT_THAT(lines[1], HasSubstr("show no difference between it and the untrained encoder: 0.3 points by k-NN "
                                  "(-3.7 to 4.3)"));
  EXPECT_THAT(lines[5], HasSubstr("What was learned does not show yet."));
  EXPECT_THAT(VerdictLines(Comparison(kBetter, kBetter, kEqual, kEqual)).back(),
              HasSubstr("small pictures are as good"));
}

TEST(VerdictTest, MeasuresThatDisagreeAreBothSaid) {
  EXPECT_EQ(VerdictLines(Comparison(kBetter, kEqual, kWorse, kBetter))[1],
            "Compared with the untrained encoder: better by 12.3 points by k-NN (8.1 to 16.2); no difference to be "
            "seen, 0.3 points by linear probe (-3.7 to 4.3).");
  EXPECT_THAT(VerdictLines(Comparison(kBetter, kBetter, kWorse, kBetter))[2],
              HasSubstr("worse by 6.5 points by k-NN (3.1 to 9.9); better by 12.3 points by linear probe"));
}

TEST(VerdictTest, WhereMeasuresDisagreeTheProbeSaysWhatComesNext) {
  EXPECT_THAT(VerdictLines(Comparison(kBetter, kEqual, kBetter, kBetter)).back(), HasSubstr("does not show yet"));
  EXPECT_THAT(VerdictLines(Comparison(kEqual, kBetter, kWorse, kBetter)).back(), HasSubstr("It is worth using."));
  EXPECT_THAT(VerdictLines(Comparison(kBetter, kBetter, kBetter, kWorse)).back(), HasSubstr("Do not use"));
  EXPECT_THAT(VerdictLines(Comparison(kEqual, kEqual, kEqual, kEqual)).back(), HasSubstr("Do not use"));
}

// An interval of 4 points to either side, of 341 photos: half of it takes four times as many.
TEST(VerdictTest, SaysHowManyPhotosWouldShowTwoPoints) {
  EXPECT_THAT(VerdictLines(Comparison(kEqual, kEqual, kBetter, kBetter)),
              Contains(HasSubstr("To see a difference of 2 points, about 1400 photos would have to be judged.")));
  const Interval narrow = {5, 4, 6};
  EXPECT_THAT(VerdictLines(Comparison(narrow, narrow, kBetter, kBetter)), Each(Not(HasSubstr("about"))));
}

TEST(VerdictTest, StartingWeightsAreNoUntrainedEncoder) {
  Json comparison = Comparison(kWorse, kWorse, kBetter, kBetter);
  comparison["start"]["kind"] = "weights";
  const std::vector<std::string> worse = VerdictLines(comparison);
  EXPECT_THAT(worse[1], HasSubstr("It is worse than the weights that it started from by 6.5 points"));
  EXPECT_THAT(worse.back(), HasSubstr("The training did harm"));
  comparison = Comparison(kEqual, kEqual, kBetter, kBetter);
  comparison["start"]["kind"] = "weights";
  EXPECT_THAT(VerdictLines(comparison).back(), HasSubstr("which are as good"));
  comparison = Comparison(kEqual, kEqual, kEqual, kEqual);
  comparison["start"]["kind"] = "weights";
  EXPECT_THAT(VerdictLines(comparison).back(), HasSubstr("which are as good")) << "whatever raw pixels are worth";
}

TEST(VerdictTest, WithoutAStartOrAProbeTheOthersAreSaid) {
  Json comparison = Comparison(kBetter, kBetter, kBetter, kBetter);
  comparison.erase("start");
  comparison["rows"][0]["probe"] = nullptr;
  Json kept = Json::array();
  for (const Json& row : comparison["differences"]) {
    if (row["measure"] == "knn" && row["against"] != "start") kept.push_back(row);
  }
  comparison["differences"] = kept;
  const std::vector<std::string> lines = VerdictLines(comparison);
  ASSERT_THAT(lines, SizeIs(5));
  EXPECT_EQ(lines[0],
            "Of 341 photos that were judged, in 10 classes, the encoder finds the right class for 61.2 % by k-NN.");
  EXPECT_EQ(lines[1], "It is better than raw pixels (32 x 32) by 12.3 points by k-NN (8.1 to 16.2).");
}

TEST(VerdictTest, WithoutLabelsNobodyCanTell) {
  EXPECT_THAT(VerdictLines(nullptr)[0], HasSubstr("these photos have no labels"));
  EXPECT_THAT(VerdictLines(Json::object())[0], HasSubstr("these photos have no labels"));
  Json one = Comparison(kEqual, kEqual, kEqual, kEqual);
  one["judged"]["classes"] = 1;
  EXPECT_THAT(VerdictLines(one)[0], HasSubstr("of one class"));
}

// Another program wrote it: what is odd in it is passed over.
TEST(VerdictTest, OddFieldsAreNoCrash) {
  EXPECT_THAT(VerdictLines(Json::parse(R"([1, 2])")), SizeIs(3));
  EXPECT_THAT(VerdictLines(Json::parse(R"({"judged": 3, "rows": "x", "differences": {"a": 1}})")), SizeIs(3));
  EXPECT_THAT(VerdictLines(Json::parse(
                  R"({"judged": {"images": 5, "classes": 2}, "rows": [{"name": "encoder", "knn": "high"}, 7],
                      "differences": [{"against": 1}, null, {"against": "start", "measure": "knn", "points": null}]})")),
              SizeIs(3));
}

}  // namespace
}  // namespace mimeo
