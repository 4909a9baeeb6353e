#include "client/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace mimeo {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ContainsRegex;
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

std::vector<std::string> Lines(const Json& comparison) { return VerdictLines(comparison, "/out/my encoder"); }

constexpr Interval kBetter = {12.3, 8.1, 16.2};
constexpr Interval kWorse = {-6.5, -9.9, -3.1};
constexpr Interval kEqual = {0.3, -3.7, 4.3};

TEST(VerdictTest, ABetterEncoderIsWorthUsing) {
  const std::vector<std::string> lines = Lines(Comparison(kBetter, {20, 15, 25}, kBetter, kBetter));
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

TEST(VerdictTest, OnePhotoIsNoPlural) {
  Json comparison = Comparison(kEqual, kEqual, kEqual, kEqual);
  comparison["judged"]["images"] = 1;
  EXPECT_THAT(Lines(comparison)[0], HasSubstr("Of 1 photo that was judged, in 10 classes"));
}

TEST(VerdictTest, AWorseEncoderIsCalledWorse) {
  const std::vector<std::string> lines = Lines(Comparison(kBetter, kBetter, kWorse, kWorse));
  EXPECT_EQ(lines[2],
            "It is worse than raw pixels (32 x 32) by 6.5 points by k-NN (3.1 to 9.9), and by 6.5 points by "
            "linear probe (3.1 to 9.9).");
  EXPECT_THAT(lines[5], HasSubstr("Do not use this encoder yet. Next: start from released weights (--from)"));
}

TEST(VerdictTest, NoDifferenceIsNoWin) {
  const std::vector<std::string> lines = Lines(Comparison(kEqual, kEqual, kBetter, kBetter));
  EXPECT_EQ(lines[1],
            "These photos show no difference between it and the untrained encoder: it is 0.3 points higher by k-NN "
            "(3.7 lower to 4.3 higher), and 0.3 points higher by linear probe (3.7 lower to 4.3 higher).");
  EXPECT_THAT(lines[5], HasSubstr("What was learned does not show yet."));
  EXPECT_THAT(Lines(Comparison(kBetter, kBetter, kEqual, kEqual)).back(), HasSubstr("small pictures are as good"));
}

TEST(VerdictTest, NoNumberOfASentenceIsNegative) {
  const Interval lower = {-2.1, -9.5, 5.3}, none = {0.04, -7.4, 0};
  const std::vector<std::string> lines = Lines(Comparison(none, lower, kWorse, lower));
  EXPECT_EQ(lines[1],
            "These photos show no difference between it and the untrained encoder: it is equal by k-NN (7.4 lower to "
            "equal), and 2.1 points lower by linear probe (9.5 lower to 5.3 higher).");
  EXPECT_THAT(lines[2], HasSubstr("no difference to be seen, it is 2.1 points lower by linear probe"));
  EXPECT_THAT(lines, Each(Not(ContainsRegex("[ (]-[0-9]"))));
}

TEST(VerdictTest, MeasuresThatDisagreeAreBothSaid) {
  EXPECT_EQ(Lines(Comparison(kBetter, kEqual, kWorse, kBetter))[1],
            "Compared with the untrained encoder: better by 12.3 points by k-NN (8.1 to 16.2); no difference to be "
            "seen, it is 0.3 points higher by linear probe (3.7 lower to 4.3 higher).");
  EXPECT_THAT(Lines(Comparison(kBetter, kBetter, kWorse, kBetter))[2],
              HasSubstr("worse by 6.5 points by k-NN (3.1 to 9.9); better by 12.3 points by linear probe"));
}

TEST(VerdictTest, WhereMeasuresDisagreeTheProbeSaysWhatComesNext) {
  EXPECT_THAT(Lines(Comparison(kBetter, kEqual, kBetter, kBetter)).back(), HasSubstr("does not show yet"));
  EXPECT_THAT(Lines(Comparison(kEqual, kBetter, kWorse, kBetter)).back(), HasSubstr("It is worth using."));
  EXPECT_THAT(Lines(Comparison(kBetter, kBetter, kBetter, kWorse)).back(), HasSubstr("Do not use"));
  EXPECT_THAT(Lines(Comparison(kEqual, kEqual, kEqual, kEqual)).back(), HasSubstr("Do not use"));
}

// An interval of 4 points to either side, of 341 photos: half of it takes four times as many.
TEST(VerdictTest, SaysHowManyPhotosWouldShowTwoPoints) {
  EXPECT_THAT(Lines(Comparison(kEqual, kEqual, kBetter, kBetter)),
              Contains(HasSubstr("To see a difference of 2 points, about 1400 photos would have to be judged.")));
  const Interval narrow = {5, 4, 6};
  EXPECT_THAT(Lines(Comparison(narrow, narrow, kBetter, kBetter)), Each(Not(HasSubstr("about"))));
}

TEST(VerdictTest, StartingWeightsAreNoUntrainedEncoder) {
  Json comparison = Comparison(kWorse, kWorse, kBetter, kBetter);
  comparison["start"]["kind"] = "weights";
  const std::vector<std::string> worse = Lines(comparison);
  EXPECT_THAT(worse[1], HasSubstr("It is worse than the weights that it started from by 6.5 points"));
  EXPECT_THAT(worse.back(), HasSubstr("The training did harm"));
  comparison = Comparison(kEqual, kEqual, kBetter, kBetter);
  comparison["start"]["kind"] = "weights";
  EXPECT_THAT(Lines(comparison).back(), HasSubstr("which are as good"));
  comparison = Comparison(kEqual, kEqual, kEqual, kEqual);
  comparison["start"]["kind"] = "weights";
  EXPECT_THAT(Lines(comparison).back(), HasSubstr("which are as good")) << "whatever raw pixels are worth";
}

TEST(VerdictTest, TheTeacherIsComparedAndNotAdvisedAgain) {
  const auto against_teacher = [](Json comparison, const Interval& found) {
    for (const char* measure : {"knn", "probe"}) {
      comparison["differences"].push_back(DifferenceTo("teacher", measure, found));
    }
    return comparison;
  };
  const std::vector<std::string> lines = Lines(against_teacher(Comparison(kBetter, kBetter, kBetter, kBetter), kWorse));
  ASSERT_THAT(lines, SizeIs(7));
  EXPECT_EQ(lines[4],
            "It is worse than its teacher by 6.5 points by k-NN (3.1 to 9.9), and by 6.5 points by linear probe "
            "(3.1 to 9.9).");
  EXPECT_EQ(lines[6], "It is worth using. Next: train longer (--minutes), or start from released weights (--from).");
  for (const Interval& start : {kBetter, kEqual, kWorse}) {
    for (const Interval& pixels : {kBetter, kEqual, kWorse}) {
      Json comparison = Comparison(start, start, pixels, pixels);
      EXPECT_THAT(Lines(comparison).back(), HasSubstr("--distill"));
      comparison = against_teacher(comparison, kEqual);
      EXPECT_THAT(Lines(comparison).back(), AllOf(Not(HasSubstr("--distill")), HasSubstr("--from")));
      comparison["start"]["kind"] = "weights";
      EXPECT_THAT(Lines(comparison).back(), AllOf(Not(HasSubstr("--distill")), Not(HasSubstr("--from"))));
    }
  }
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
  const std::vector<std::string> lines = Lines(comparison);
  ASSERT_THAT(lines, SizeIs(5));
  EXPECT_EQ(lines[0],
            "Of 341 photos that were judged, in 10 classes, the encoder finds the right class for 61.2 % by k-NN.");
  EXPECT_EQ(lines[1], "It is better than raw pixels (32 x 32) by 12.3 points by k-NN (8.1 to 16.2).");
}

TEST(VerdictTest, WithoutLabelsNobodyCanTell) {
  EXPECT_THAT(Lines(nullptr)[0], HasSubstr("these photos have no labels"));
  EXPECT_THAT(Lines(nullptr)[2], HasSubstr("compare --weights '/out/my encoder' --data judged"));
  EXPECT_THAT(Lines(Json::object())[0], HasSubstr("these photos have no labels"));
  Json one = Comparison(kEqual, kEqual, kEqual, kEqual);
  one["judged"]["classes"] = 1;
  EXPECT_THAT(Lines(one)[0], HasSubstr("of one class"));
}

// Another program wrote it: what is odd in it is passed over.
TEST(VerdictTest, OddFieldsAreNoCrash) {
  EXPECT_THAT(Lines(Json::parse(R"([1, 2])")), SizeIs(3));
  EXPECT_THAT(Lines(Json::parse(R"({"judged": 3, "rows": "x", "differences": {"a": 1}})")), SizeIs(3));
  EXPECT_THAT(Lines(Json::parse(
                  R"({"judged": {"images": 5, "classes": 2}, "rows": [{"name": "encoder", "knn": "high"}, 7],
                      "differences": [{"against": 1}, null, {"against": "start", "measure": "knn", "points": null}]})")),
              SizeIs(3));
}

}  // namespace
}  // namespace mimeo
