// `mimeo run --data PHOTOS` without a recipe, as somebody who has just installed it types it: from photos to a verdict,
// or to one sentence that says why not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/find_binary.h"
#include "base/subprocess.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/photos.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::Duration kPatience = absl::Minutes(3);
constexpr char kMinutes[] = "0.1";  // its training has two seconds

class AutoRunTest : public ::testing::Test {
 protected:
  // So many example photos, in two class folders.
  std::string ClassFolders(int count) {
    const std::string photos = dir_.path() + "/photos";
    WritePhotos(dir_.path() + "/all", count);
    int number = 0;
    for (const auto& entry : std::filesystem::directory_iterator(dir_.path() + "/all")) {
      const std::string folder = absl::StrCat(photos, "/", ++number % 2 == 0 ? "even" : "odd");
      EXPECT_TRUE(MakeDirs(folder).ok());
      std::filesystem::rename(entry.path(), JoinPath(folder, entry.path().filename().string()));
    }
    return photos;
  }

  void Start(std::vector<std::string> args) {
    const auto binary = FindBinary("mimeo");
    ASSERT_TRUE(binary.ok()) << binary.status();
    args.insert(args.begin(), {*binary, "run"});
    Subprocess::Options options;
    options.argv = std::move(args);
    options.output_path = said_path_ = absl::StrCat(dir_.path(), "/said-", ++runs_);
    auto run = Subprocess::Start(options);
    ASSERT_TRUE(run.ok()) << run.status();
    run_ = *std::move(run);
  }

  // What it said, once it has ended with this code.
  std::string End(int code) {
    const auto ended = run_->Wait(Clock::Real()->Now() + kPatience);
    const std::string said = ReadFile(said_path_).value_or("");
    EXPECT_TRUE(ended.ok()) << ended.status() << "\n" << said;
    EXPECT_EQ(ended.ok() ? ended->code : -1, code) << said;
    return said;
  }

  std::string Run(const std::string& photos, int code = 0, const std::vector<std::string>& more = {}) {
    std::vector<std::string> args = {"--data", photos, "--out", out_, "--minutes", kMinutes};
    args.insert(args.end(), more.begin(), more.end());
    Start(args);
    return End(code);
  }

  void AwaitFile(const std::string& path) {
    const absl::Time deadline = Clock::Real()->Now() + kPatience;
    while (!FileExists(path) && Clock::Real()->Now() < deadline) {
      const auto ended = run_->Wait(Clock::Real()->Now() + absl::Milliseconds(50));
      ASSERT_FALSE(ended.ok()) << "the run has ended: " << ReadFile(said_path_).value_or("");
    }
    ASSERT_TRUE(FileExists(path)) << ReadFile(said_path_).value_or("");
  }

  const TempDir dir_;
  const std::string out_ = dir_.path() + "/out";
  std::string said_path_;
  std::unique_ptr<Subprocess> run_;
  int runs_ = 0;
};

void ExpectOneSentence(const std::string& said, const std::string& of) {
  EXPECT_THAT(said, HasSubstr(of));
  EXPECT_LE(std::vector<std::string>(absl::StrSplit(said, '\n', absl::SkipEmpty())).size(), 1u) << said;
}

TEST_F(AutoRunTest, FromPhotosToAVerdictWithACtrlCOnTheWay) {
  const std::string photos = ClassFolders(120);
  Start({"--data", photos, "--out", out_, "--minutes", kMinutes});
  AwaitFile(out_ + "/job.textproto");
  run_->Signal(SIGINT);
  const std::string stopped = End(1);
  EXPECT_THAT(stopped,
              AllOf(HasSubstr("photos: 120"), HasSubstr("labels: 2 classes"), HasSubstr("held out: "),
                    HasSubstr("method: SimCLR"), HasSubstr("were measured"), HasSubstr("the same command continues")));
  const std::string recipe = ReadFile(out_ + "/recipe.textproto").value_or("");
  EXPECT_THAT(recipe, AllOf(HasSubstr("# Chosen by: mimeo run --data"), HasSubstr("# method: SimCLR")));

  const std::string said = Run(photos);
  EXPECT_THAT(said, AllOf(HasSubstr("as it was chosen before"), Not(HasSubstr("trying")),
                          HasSubstr("the encoder finds the right class"), HasSubstr("the untrained encoder")));
  EXPECT_EQ(ReadFile(out_ + "/recipe.textproto").value_or(""), recipe);
  const auto verdict = nlohmann::json::parse(ReadFile(out_ + "/verdict.json").value_or("null"));
  ASSERT_TRUE(verdict.contains("compare")) << verdict;
  EXPECT_GT(verdict["lines"].size(), 2u);
  EXPECT_THAT(ReadFile(out_ + "/report.html").value_or(""), HasSubstr("What it is worth"));

  const auto again = nlohmann::json::parse(
      LocalCluster().Mimeo({"run", "--data", photos, "--out", out_, "--minutes", kMinutes, "-o", "json"}));
  EXPECT_EQ(again["state"], "JOB_STATE_SUCCEEDED");
  EXPECT_EQ(again["verdict"]["lines"], verdict["lines"]);
  EXPECT_THAT(Run(dir_.path(), 2), HasSubstr("--data was " + photos));
}

TEST_F(AutoRunTest, AFolderWithoutLabelsIsTrainedOnAndToldThatNobodyCanTell) {
  WritePhotos(dir_.path() + "/photos", 80);
  const std::string said = Run(dir_.path() + "/photos");
  EXPECT_THAT(said, AllOf(HasSubstr("labels: none"), HasSubstr("Nobody can tell"), HasSubstr("The held-out loss")));
}

// One run for both, because each takes a while.
TEST_F(AutoRunTest, WeightsOfOthersAreGoneOnFromAndMimicked) {
  const std::string photos = ClassFolders(80);
  const std::string weights =
      absl::StrCat(std::getenv("TEST_SRCDIR"), "/", std::getenv("TEST_WORKSPACE"), "/examples/teachers/clothing_mv");
  const std::string said = Run(photos, 0, {"--from", weights, "--distill", weights});
  EXPECT_THAT(said, AllOf(HasSubstr("method: mimicking the teacher"), HasSubstr("from the weights in"),
                          HasSubstr("the encoder finds the right class"), HasSubstr("the weights that it started from"),
                          HasSubstr("its teacher"), Not(HasSubstr("untrained")), Not(HasSubstr("--distill)"))));
}

TEST_F(AutoRunTest, WhatCannotBeTrainedOnEndsWithOneSentence) {
  const std::string photos = dir_.path() + "/few";
  WritePhotos(photos, 12);
  ExpectOneSentence(Run(photos, 2), "12 photos; at least 50 are needed");
  const std::string nothing = dir_.path() + "/nothing";
  ASSERT_TRUE(MakeDirs(nothing).ok());
  ExpectOneSentence(Run(nothing, 2), "image");
  ASSERT_TRUE(WriteFileAtomic(nothing + "/shard.tar", std::string(10240, '\0')).ok());
  ASSERT_TRUE(WriteFileAtomic(nothing + "/a.jpg", "x").ok());
  ExpectOneSentence(Run(nothing, 2), "nothing");
  ExpectOneSentence(Run(photos, 2, {"--from", nothing}), "--from");
  ExpectOneSentence(Run(dir_.path() + "/no such folder", 2), "does not exist");
  EXPECT_FALSE(FileExists(out_));
}

}  // namespace
}  // namespace mimeo
