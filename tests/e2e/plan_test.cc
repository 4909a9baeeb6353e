// `mimeo plan` with the real processes: a probe gives numbers, ends in time, and leaves nothing behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/find_binary.h"
#include "base/subprocess.h"
#include "base/wait.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/photos.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::Duration kPatience = absl::Minutes(2);

// `mimeo plan` whose temporary folder is one of the test's own, so that what is left in it can be seen.
class PlanTest : public ::testing::Test {
 protected:
  void Start(const std::vector<std::string>& args) {
    const auto binary = FindBinary("mimeo");
    ASSERT_TRUE(binary.ok()) << binary.status();
    ASSERT_TRUE(MakeDirs(temporary_).ok());
    Subprocess::Options options;
    options.argv = {*binary, "plan",
                    absl::StrCat(std::getenv("TEST_SRCDIR"), "/", std::getenv("TEST_WORKSPACE"),
                                 "/recipes/quickstart_mae.textproto")};
    options.argv.insert(options.argv.end(), args.begin(), args.end());
    options.extra_env = {"TMPDIR=" + temporary_};
    options.on_stdout = [this](absl::string_view piece) { out_.append(piece.data(), piece.size()); };
    options.on_stderr = [this](absl::string_view piece) { errors_.append(piece.data(), piece.size()); };
    auto child = Subprocess::Start(options);
    ASSERT_TRUE(child.ok()) << child.status();
    child_ = *std::move(child);
  }

  int Wait() {
    const auto ended = child_->Wait(Clock::Real()->Now() + kPatience);
    EXPECT_TRUE(ended.ok()) << ended.status();
    return ended.ok() ? ended->code : -1;
  }

  // Neither a file nor a word of the temporary folder.
  void ExpectNothingLeft() const {
    EXPECT_TRUE(std::filesystem::is_empty(temporary_));
    EXPECT_THAT(out_, Not(HasSubstr(temporary_)));
    EXPECT_THAT(errors_, Not(HasSubstr(temporary_)));
  }

  // The logs of all processes of the probe, by their ends: whether it has come so far.
  bool Started() const {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(temporary_)) {
      if (absl::StrContains(entry.path().string(), "/ranks/")) return true;
    }
    return false;
  }

  const TempDir dir_;
  const std::string temporary_ = dir_.path() + "/temporary";
  std::unique_ptr<Subprocess> child_;
  std::string out_, errors_;
};

const std::vector<std::string> kTiny = {"--set", "data.image_px=32",
                                        "--set", "evaluation.path=",
                                        "--set", "data.global_batch=96",
                                        "--set", "encoder.vit.width=64",
                                        "--set", "encoder.vit.depth=2",
                                        "--set", "encoder.vit.heads=2",
                                        "--set", "objective[pixels].reconstruction.decoder_width=32",
                                        "--set", "objective[pixels].reconstruction.decoder_depth=1",
                                        "--set", "objective[pixels].reconstruction.decoder_heads=2"};

std::vector<std::string> Tiny(const std::vector<std::string>& more) {
  std::vector<std::string> args = kTiny;
  args.insert(args.end(), more.begin(), more.end());
  return args;
}

TEST_F(PlanTest, AProbeMeasuresStepsAndMemory) {
  const std::string photos = dir_.path() + "/photos";
  WritePhotos(photos, 200);
  // The processes take longer to start, and the first step to be heard of, than steps are measured.
  Start(Tiny({"--data", photos, "--workers", "2", "--probe_seconds", "1", "--set", "schedule.epochs=5", "-o", "json"}));
  ASSERT_EQ(Wait(), 0) << errors_;
  const auto plan = nlohmann::json::parse(out_);
  EXPECT_EQ(plan["images"], 200);
  EXPECT_EQ(plan["steps"], 10);
  EXPECT_EQ(plan["ranks"], 2);
  EXPECT_EQ(plan["time"]["how"], "measured");
  EXPECT_GE(plan["time"]["probe"]["steps"], 1);
  EXPECT_GT(plan["time"]["images_per_second"], 0);
  EXPECT_TRUE(plan["memory"]["measured"]);
  EXPECT_GT(plan["memory"]["rank_bytes"], 100 << 20);
  ExpectNothingLeft();
}

TEST_F(PlanTest, AStepThatTakesLongerThanTheProbeEndsItInTime) {
  const absl::Time began = Clock::Real()->Now();
  Start({"--data",
         ExamplePhotos("train"),
         "--workers",
         "1",
         "--probe_seconds",
         "1",
         "--set",
         "data.image_px=224",
         "--set",
         "encoder.vit.patch_px=16",
         "--set",
         "encoder.vit.width=768",
         "--set",
         "encoder.vit.depth=24",
         "--set",
         "data.global_batch=192",
         "--set",
         "resources.micro_batch=8",
         "-o",
         "json"});
  EXPECT_EQ(Wait(), 0) << errors_;
  const auto time = nlohmann::json::parse(out_)["time"];
  EXPECT_TRUE(time["seconds"].is_null());
  EXPECT_THAT(time["why_not_measured"].get<std::string>(),
              AllOf(HasSubstr("the first step has not ended within 15s"), HasSubstr("--probe_seconds")));
  EXPECT_LT(Clock::Real()->Now() - began, absl::Seconds(60)) << "such a step takes minutes";
  ExpectNothingLeft();
}

TEST_F(PlanTest, CtrlCLeavesNothing) {
  Start(Tiny({"--data", ExamplePhotos("train"), "--workers", "2", "--probe_seconds", "600"}));
  const absl::Time deadline = Clock::Real()->Now() + kPatience;
  while (!Started()) {
    ASSERT_LT(Clock::Real()->Now(), deadline) << errors_;
    ASSERT_TRUE(child_->running());
    WaitFor(absl::Milliseconds(20));
  }
  child_->Signal(SIGINT);
  EXPECT_EQ(Wait(), 1) << errors_;
  EXPECT_THAT(errors_, HasSubstr("the probe was stopped"));
  ExpectNothingLeft();
}

TEST_F(PlanTest, AJobThatFailsSaysWhyAndNothingOfTheTemporaryFolder) {
  const std::string photos = dir_.path() + "/photos";
  WritePhotos(photos, 12);
  Start(Tiny({"--data", photos, "--workers", "1", "--probe_seconds", "2"}));
  EXPECT_NE(Wait(), 0);
  EXPECT_THAT(absl::StrCat(out_, errors_), HasSubstr("12"));
  ExpectNothingLeft();
}

}  // namespace
}  // namespace mimeo
