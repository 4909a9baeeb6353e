// The survey as `worker survey` prints it.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "data/decode.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "worker/tools/tools.h"

namespace mimeo {
namespace {

using ::testing::HasSubstr;

int Call(int (*verb)(int, char**), std::vector<std::string> arguments) {
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  return verb(static_cast<int>(argv.size()), argv.data());
}

class SurveyVerbTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return JoinPath(dir_.path(), name); }

  TempDir dir_;
};

TEST_F(SurveyVerbTest, ASurveyIsOneJsonObjectWithEveryField) {
  for (int i = 0; i < 12; ++i) {
    const std::string folder = absl::StrCat("own/", i < 8 ? "cat" : "ant");
    ASSERT_OK(MakeDirs(Path(folder)));
    Pixels pixels{8, 6, std::vector<uint8_t>(8 * 6 * 3, static_cast<uint8_t>(i))};
    ASSERT_OK(WriteFileAtomic(Path(absl::StrCat(folder, "/", i, ".png")), EncodePng(pixels)));
  }
  ASSERT_OK(WriteFileAtomic(Path("own/cat/copy.png"), ReadFile(Path("own/cat/0.png")).value()));
  ASSERT_OK(WriteFileAtomic(Path("own/cat/text.jpg"), "text"));
  ASSERT_OK(WriteFileAtomic(Path("own/scan.tif"), "x"));
  ::testing::internal::CaptureStdout();
  const int code = Call(RunSurvey, {"survey", "--data", Path("own"), "--hold_out", "0.5"});
  nlohmann::json survey = nlohmann::json::parse(::testing::internal::GetCapturedStdout());
  EXPECT_EQ(code, 0);
  EXPECT_GE(survey["seconds"].get<double>(), 0);
  EXPECT_GT(survey["held_out"]["images"].get<int>(), 0);
  EXPECT_EQ(survey["held_out"]["images"], survey["held_out"]["labelled"]);
  EXPECT_GE(survey["held_out"]["classes"].get<int>(), 1);
  EXPECT_EQ(survey["held_out"]["share"], 0.5);
  survey.erase("seconds");
  survey.erase("held_out");
  const nlohmann::json expected = {
      {"path", Path("own")},
      {"kind", "class folders"},
      {"images", 14},
      {"labelled", 14},
      {"classes", {{{"name", "cat"}, {"images", 10}}, {{"name", "ant"}, {"images", 4}}}},
      {"passed_over",
       {{{"reason", "files of other kinds"}, {"count", 1}, {"names", nlohmann::json::array({".tif 1"})}}}},
      {"undecodable",
       {{"looked_at", 14},
        {"count", 1},
        {"names", nlohmann::json::array({"cat/text.jpg: not a JPEG, PNG or WebP: starts with \"text\""})}}},
      {"width", {{"smallest", 8}, {"median", 8}, {"largest", 8}}},
      {"height", {{"smallest", 6}, {"median", 6}, {"largest", 6}}},
      {"grey", 1.0},
      {"duplicates", {{"groups", 1}, {"images", 1}}},
      {"notes", nlohmann::json::array()}};
  EXPECT_EQ(survey, expected) << survey.dump(1);
}

TEST_F(SurveyVerbTest, ASurveyOfNothingIsOneSentence) {
  ASSERT_OK(MakeDirs(Path("empty")));
  for (const std::string& path : {Path("empty"), Path("nowhere")}) {
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(Call(RunSurvey, {"survey", "--data", path}), 2);
    EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("survey: " + path + ": no "));
  }
}

}  // namespace
}  // namespace mimeo
