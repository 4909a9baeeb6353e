// What ends `mimeo run` early, and that the same command goes on from there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/find_binary.h"
#include "base/process.h"
#include "base/rpc/rpc.h"
#include "job/job_spec.h"
#include "tests/e2e/cluster.h"

namespace mimeo {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr int64_t kSteps = 150;
constexpr absl::Duration kPatience = absl::Minutes(2);

// The processes whose command lines hold `text`.
std::vector<pid_t> Processes(const std::string& text) {
  std::vector<pid_t> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &pid)) continue;
    std::ifstream in(entry.path() / "cmdline");
    const std::string line{std::istreambuf_iterator<char>(in), {}};
    if (absl::StrContains(line, text)) found.push_back(pid);
  }
  return found;
}

class RunLifecycleTest : public testing::Test {
 protected:
  RunLifecycleTest() { EXPECT_TRUE(WriteFileAtomic(recipe_, JobSpecText(TinyJob(1, kSteps))).ok()); }

  void Start(std::vector<std::string> more = {}) {
    more.insert(more.begin(), recipe_);
    StartRun(more);
  }

  void StartRun(const std::vector<std::string>& args) {
    const auto binary = FindBinary("mimeo");
    ASSERT_TRUE(binary.ok()) << binary.status();
    ASSERT_TRUE(MakeDirs(temporary_).ok());
    Subprocess::Options options;
    options.argv = {*binary, "run", "--out", out_};
    options.argv.insert(options.argv.end(), args.begin(), args.end());
    options.extra_env = {"TMPDIR=" + temporary_};
    options.output_path = absl::StrCat(dir_.path(), "/said-", ++runs_);
    auto run = Subprocess::Start(options);
    ASSERT_TRUE(run.ok()) << run.status();
    run_ = *std::move(run);
    said_path_ = options.output_path;
  }

  // What the run said, once it has ended as told.
  std::string End(int exit_code, absl::Duration patience = kPatience) {
    const auto ended = run_->Wait(Clock::Real()->Now() + patience);
    const std::string said = ReadFile(said_path_).value_or("");
    EXPECT_TRUE(ended.ok()) << ended.status() << "\n" << said;
    EXPECT_EQ(ended.ok() ? ended->code : -1, exit_code) << said;
    EXPECT_THAT(Processes(out_), testing::IsEmpty()) << "something still runs";
    return said;
  }

  // Until the run has said this.
  void AwaitWords(const std::string& words) {
    const absl::Time deadline = Clock::Real()->Now() + kPatience;
    while (!absl::StrContains(ReadFile(said_path_).value_or(""), words)) {
      ASSERT_LT(Clock::Real()->Now(), deadline) << ReadFile(said_path_).value_or("");
      const auto ended = run_->Wait(Clock::Real()->Now() + absl::Milliseconds(20));
      ASSERT_FALSE(ended.ok()) << "the run has ended: " << ReadFile(said_path_).value_or("");
    }
  }

  // Until the run's job has trained `step` steps.
  void AwaitStep(int64_t step) {
    const auto announced = ReadAnnouncement(out_ + "/cluster/coordinator.json", kPatience);
    ASSERT_TRUE(announced.ok()) << announced.status();
    const auto stub = Coordinator::NewStub(OpenChannel(ChannelOptions(), announced->at("address")));
    const absl::Time deadline = Clock::Real()->Now() + kPatience;
    while (Clock::Real()->Now() < deadline) {
      grpc::ClientContext context;
      SetDeadline(&context, absl::Seconds(5));
      ListJobsReply reply;
      if (stub->ListJobs(&context, ListJobsRequest(), &reply).ok() && reply.jobs_size() > 0 &&
          reply.jobs(0).step() >= step) {
        return;
      }
      const auto ended = run_->Wait(Clock::Real()->Now() + absl::Milliseconds(50));
      ASSERT_FALSE(ended.ok()) << "the run has ended: " << ReadFile(said_path_).value_or("");
    }
    FAIL() << "step " << step << " did not come: " << ReadFile(said_path_).value_or("");
  }

  void ExpectEveryStepOnce() {
    const auto text = ReadFile(out_ + "/metrics.jsonl");
    ASSERT_TRUE(text.ok()) << text.status();
    const std::vector<std::string> lines = absl::StrSplit(*text, '\n', absl::SkipEmpty());
    ASSERT_EQ(lines.size(), static_cast<size_t>(kSteps));
    for (size_t i = 0; i < lines.size(); ++i) EXPECT_THAT(lines[i], HasSubstr(absl::StrCat("{\"step\":", i + 1, ",")));
  }

  TempDir dir_;
  const std::string out_ = dir_.path() + "/out";
  const std::string temporary_ = dir_.path() + "/temporary";
  const std::string recipe_ = dir_.path() + "/recipe.textproto";
  std::string said_path_;
  std::unique_ptr<Subprocess> run_;
  int runs_ = 0;
};

TEST_F(RunLifecycleTest, CtrlCStopsAfterACheckpointAndTheSameCommandGoesOn) {
  Start();
  AwaitStep(3);
  run_->Signal(SIGINT);
  const std::string stopped = End(1);
  EXPECT_THAT(stopped, HasSubstr("stopping after a checkpoint"));
  EXPECT_THAT(stopped, HasSubstr("the same command continues it"));
  EXPECT_THAT(stopped, Not(HasSubstr("stopped at step 0 "))) << "there is a checkpoint";
  EXPECT_FALSE(FileExists(out_ + "/report.html"));

  Start({"--set", "seed=8"});
  EXPECT_THAT(End(2), HasSubstr("holds the run of another job"));

  Start();
  EXPECT_THAT(End(0), HasSubstr("results in"));
  ExpectEveryStepOnce();
  EXPECT_TRUE(FileExists(out_ + "/report.html"));
}

TEST_F(RunLifecycleTest, AFinishedRunIsDoneAndGoesOnForLonger) {
  Start({"--set", "schedule.steps=12", "--tensorboard", out_ + "/events"});
  End(0);
  const std::string report = ReadFile(out_ + "/report.html").value_or("");
  EXPECT_FALSE(std::filesystem::is_empty(out_ + "/events"));

  Start({"--set", "schedule.steps=12"});
  EXPECT_THAT(End(0), HasSubstr("this run was done before, at step 12"));
  EXPECT_EQ(ReadFile(out_ + "/report.html").value_or(""), report) << "it says how long the run took";

  Start({"--set", "schedule.steps=12", "--set", "seed=8"});
  EXPECT_THAT(End(2), HasSubstr("seed: 8, but "));
  Start({"--set", "schedule.steps=8"});
  EXPECT_THAT(End(0), HasSubstr("was made longer than this, and is done"));
  EXPECT_EQ(ReadFile(out_ + "/report.html").value_or(""), report);

  Start();
  EXPECT_THAT(End(0), HasSubstr("it goes on from step 12 with the longer schedule"));
  ExpectEveryStepOnce();
  EXPECT_NE(ReadFile(out_ + "/report.html").value_or(""), report);
}

TEST_F(RunLifecycleTest, ASecondCtrlCStopsAtOnceAndLeavesNothingRunning) {
  Start();
  AwaitStep(3);
  const std::vector<pid_t> coordinators = Processes("--data_dir=" + out_);
  ASSERT_EQ(coordinators.size(), 1u);
  kill(coordinators[0], SIGSTOP);  // so that the first cannot succeed
  run_->Signal(SIGINT);
  AwaitWords("Ctrl-C again");
  run_->Signal(SIGINT);
  const absl::Time deadline = Clock::Real()->Now() + kPatience;
  const auto ended = run_->Wait(deadline);
  ASSERT_TRUE(ended.ok()) << ended.status();
  EXPECT_EQ(ended->code, 1);
  while (!Processes(out_).empty() && Clock::Real()->Now() < deadline) {  // the kernel ends the children
  }
  EXPECT_THAT(Processes(out_), testing::IsEmpty());
}

TEST_F(RunLifecycleTest, AKilledCoordinatorIsNamedAtOnceWithItsLogAndTheSameCommandGoesOn) {
  Start();
  AwaitStep(25);  // two checkpoints
  const std::vector<pid_t> coordinators = Processes("--data_dir=" + out_);
  ASSERT_EQ(coordinators.size(), 1u);
  kill(coordinators[0], SIGKILL);
  const std::string said = End(1, absl::Seconds(30));
  EXPECT_THAT(said, HasSubstr("coordinator was killed by SIGKILL (9): out of memory?; its log " + out_ +
                              "/logs/coordinator.log ends:\n"));
  EXPECT_THAT(said, HasSubstr("  | "));
  EXPECT_THAT(said, HasSubstr("the same command continues"));

  Start();
  End(0);
  ExpectEveryStepOnce();
}

TEST_F(RunLifecycleTest, AJobThatHadFailedBeginsAnewOnceItsPhotosAreMended) {
  const std::string photos = dir_.path() + "/photos";
  ASSERT_TRUE(MakeDirs(photos).ok());
  ASSERT_TRUE(WriteFileAtomic(photos + "/lonely.jpg", "no photo").ok());
  Start({"--data", photos, "--set", "schedule.steps=3"});
  EXPECT_THAT(End(1), HasSubstr("fewer than one global batch"));

  ASSERT_TRUE(RemoveTree(photos).ok());
  std::filesystem::copy(ExamplePhotos("train"), photos, std::filesystem::copy_options::recursive);
  Start({"--data", photos, "--set", "schedule.steps=3"});
  EXPECT_THAT(End(0), HasSubstr("had failed"));
  EXPECT_TRUE(FileExists(out_ + "/encoder/config.json"));
}

// Whether the changed images have failed the job or paused it: its steps are there, and the same command goes on from
// them.
TEST_F(RunLifecycleTest, AJobWhoseImagesHadChangedGoesOnFromItsCheckpointOnceTheyAreRestored) {
  const std::string photos = dir_.path() + "/photos";
  std::filesystem::copy(ExamplePhotos("train"), photos, std::filesystem::copy_options::recursive);
  Start({"--data", photos});
  AwaitStep(12);
  run_->Signal(SIGINT);
  EXPECT_THAT(End(1), HasSubstr("the same command continues it"));

  const std::string more = photos + "/one_more.tar";
  std::filesystem::copy(std::filesystem::directory_iterator(photos)->path(), more);
  Start({"--data", photos});
  EXPECT_THAT(End(1), HasSubstr("once that is mended, the same command continues"));

  ASSERT_TRUE(RemoveTree(more).ok());
  Start({"--data", photos});
  const std::string said = End(0);
  EXPECT_THAT(said, HasSubstr("; it goes on from step "));
  EXPECT_THAT(said, Not(HasSubstr("anew")));
  ExpectEveryStepOnce();
}

TEST_F(RunLifecycleTest, CtrlCWhileItChoosesLeavesNothing) {
  StartRun({"--data", ExamplePhotos("train"), "--minutes", "60"});  // it tries the size for twenty seconds
  AwaitWords("trying ");
  run_->Signal(SIGINT);
  End(1);
  EXPECT_FALSE(FileExists(out_));
  EXPECT_TRUE(std::filesystem::is_empty(temporary_));
  EXPECT_THAT(Processes(temporary_), testing::IsEmpty());
}

// As on a full disk, with which every write to this file ends.
TEST_F(RunLifecycleTest, NumbersThatCannotBeWrittenStopNoTrainingAndAreAllThereAtItsEnd) {
  Start();
  const std::string numbers = out_ + "/metrics.jsonl", full = out_ + "/full";
  while (!FileExists(numbers)) {  // it is begun anew; the lines that come later are added
    const auto ended = run_->Wait(Clock::Real()->Now() + absl::Milliseconds(20));
    ASSERT_FALSE(ended.ok()) << "the run has ended: " << ReadFile(said_path_).value_or("");
  }
  std::filesystem::create_symlink("/dev/full", full);
  std::filesystem::rename(full, numbers);
  const std::string said = End(0);
  const std::string words = "numbers are not written while it runs: writing " + numbers;
  ASSERT_THAT(said, HasSubstr(words));
  EXPECT_THAT(said.substr(said.find(words) + words.size()), Not(HasSubstr("numbers are not written"))) << "once";
  ExpectEveryStepOnce();
}

}  // namespace
}  // namespace mimeo
