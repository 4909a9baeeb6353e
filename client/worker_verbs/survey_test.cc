#include "client/worker_verbs/survey.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_join.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kClothes[] = R"({
  "path": "/photos", "kind": "class folders", "images": 3000, "labelled": 2990,
  "classes": [{"name": "t-shirt", "images": 700}, {"name": "dress", "images": 500}, {"name": "hat", "images": 400},
              {"name": "pants", "images": 400}, {"name": "shoes", "images": 390}, {"name": "skirt", "images": 300},
              {"name": "shirt", "images": 300}],
  "passed_over": [{"reason": "hidden files", "count": 2, "names": [".DS_Store"]}],
  "undecodable": {"looked_at": 200, "count": 1, "names": ["cut.jpg"]},
  "width": {"smallest": 160, "median": 160, "largest": 213}, "height": {"smallest": 160, "median": 213, "largest": 284},
  "grey": 0.01, "duplicates": {"groups": 3, "images": 4},
  "held_out": {"share": 0.1, "images": 301, "labelled": 299, "classes": 7, "least_share": 0.0032}, "notes": ["a note"], "seconds": 0.4})";

Survey Parsed(const std::string& text) {
  const auto survey = ParseSurvey(nlohmann::json::parse(text));
  EXPECT_TRUE(survey.ok()) << survey.status();
  return survey.value_or(Survey());
}

std::string Lines(const std::string& text) { return absl::StrJoin(FoundLines(Parsed(text)), "\n"); }

TEST(SurveyTest, EveryFieldIsRead) {
  const Survey survey = Parsed(kClothes);
  EXPECT_EQ(survey.path, "/photos");
  EXPECT_EQ(survey.kind, "class folders");
  EXPECT_EQ(survey.images, 3000);
  EXPECT_EQ(survey.labelled, 2990);
  ASSERT_EQ(survey.classes.size(), 7u);
  EXPECT_EQ(survey.classes[1].name, "dress");
  EXPECT_EQ(survey.classes[1].count, 500);
  EXPECT_EQ(survey.passed_over[0].count, 2);
  EXPECT_EQ(survey.looked_at, 200);
  EXPECT_EQ(survey.undecodable, 1);
  EXPECT_EQ(survey.width.largest, 213);
  EXPECT_EQ(survey.height.median, 213);
  EXPECT_EQ(survey.grey, 0.01);
  EXPECT_EQ(survey.duplicate_images, 4);
  EXPECT_EQ(survey.held_out_images, 301);
  EXPECT_EQ(survey.held_out_labelled, 299);
  EXPECT_EQ(survey.least_share, 0.0032);
}

TEST(SurveyTest, APersonIsToldWhatWasFound) {
  EXPECT_THAT(Lines(kClothes),
              AllOf(HasSubstr("photos: 3,000 in /photos (class folders), typically 160 x 213 px"),
                    HasSubstr("labels: 7 classes (t-shirt 700, dress 500, hat 400, pants 400, shoes 390, and 2 more); "
                              "10 photos have no label"),
                    HasSubstr("duplicates: 4 photos"), HasSubstr("left out: hidden files 2"),
                    HasSubstr("cannot be decoded: 1 of the 200 that were tried (cut.jpg)"),
                    HasSubstr("held out: 301 photos (299 with a label)"), HasSubstr("a note")));
}

TEST(SurveyTest, WhatIsNotThereHasNoLine) {
  const std::string lines = Lines(R"({"path": "/p", "kind": "folder", "images": 60, "labelled": 0, "grey": 1})");
  EXPECT_THAT(lines, AllOf(HasSubstr("labels: none"), HasSubstr("all of them grey")));
  EXPECT_THAT(lines, Not(HasSubstr("duplicates")));
  EXPECT_THAT(lines, Not(HasSubstr("left out")));
  EXPECT_THAT(lines, Not(HasSubstr("held out")));
}

TEST(SurveyTest, OneIsNoPlural) {
  EXPECT_THAT(Lines(R"({"path": "/p", "kind": "folder", "images": 60, "labelled": 59,
                        "classes": [{"name": "a", "images": 59}], "held_out": {"images": 1, "labelled": 1}})"),
              AllOf(HasSubstr("; 1 photo has no label"),
                    HasSubstr("held out: 1 photo (1 with a label), which is never trained")));
}

TEST(SurveyTest, NamesOfStrangersBecomeText) {
  EXPECT_THAT(Lines("{\"path\": \"/p\", \"kind\": \"class folders\", \"images\": 60, \"labelled\": 60, \"classes\": "
                    "[{\"name\": \"a\\u001b[2J\", \"images\": 60}]}"),
              AllOf(HasSubstr("1 class (a"), Not(HasSubstr("\x1b"))));
}

TEST(SurveyTest, ACountThatIsMissingOrNoNumberIsAnError) {
  for (const char* text : {R"({"labelled": 1})", R"({"images": 3})", R"({"images": "3", "labelled": 1})",
                           R"({"images": -3, "labelled": 1})", R"({"images": 3.5, "labelled": 1})"}) {
    EXPECT_FALSE(ParseSurvey(nlohmann::json::parse(text)).ok()) << text;
  }
}

TEST(SurveyTest, PartsOfAnotherKindAreReadAsNothing) {
  const Survey survey = Parsed(R"({"images": 60, "labelled": 0, "classes": 3, "width": [], "held_out": null,
                                   "undecodable": "x", "notes": {"a": 1}, "grey": "all", "duplicates": [1]})");
  EXPECT_TRUE(survey.classes.empty());
  EXPECT_EQ(survey.width.median, 0);
  EXPECT_EQ(survey.grey, 0);
}

}  // namespace
}  // namespace mimeo
