#include "client/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pty.h>
#include <unistd.h>

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/testing/fake_clock.h"

namespace mimeo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

StepMetrics Step(int64_t number) {
  StepMetrics step;
  step.set_step(number);
  step.set_epoch(0.5);
  step.set_images(32 * number);
  step.set_loss(0.75);
  (*step.mutable_terms())["pixels"] = 0.5;
  (*step.mutable_terms())["mimic"] = 0.25;
  step.set_learning_rate(1e-4);
  step.set_images_per_second(512);
  step.set_data_wait_seconds(0.125);
  return step;
}

Job Running(int64_t step, int64_t total) {
  Job job;
  job.set_id("j1");
  job.set_state(JOB_STATE_RUNNING);
  job.set_step(step);
  job.set_total_steps(total);
  job.set_generation(1);
  return job;
}

std::string Written(std::FILE* file) {
  std::rewind(file);
  std::string text(65536, '\0');
  text.resize(std::fread(&text[0], 1, text.size(), file));
  std::fclose(file);
  return text;
}

TEST(BarTextTest, ShowsStepLossPaceAndWhatIsLeft) {
  const StepMetrics step = Step(30);
  EXPECT_EQ(BarText(Running(30, 120), &step, absl::Seconds(83), 8),
            "[##------] 30/120  loss 0.7500  512 images/s  1:23 left");
  EXPECT_EQ(BarText(Running(120, 120), nullptr, absl::ZeroDuration(), 4), "[####] 120/120");
}

TEST(BarTextTest, SaysWhatAJobWaitsFor) {
  Job job = Running(30, 120);
  job.add_ranks()->set_waiting_for("teacher clip");
  EXPECT_THAT(BarText(job, nullptr, absl::InfiniteDuration(), 4), HasSubstr("waits for teacher clip"));
  job.set_state(JOB_STATE_PENDING);
  job.set_step(0);
  job.set_total_steps(0);
  job.clear_ranks();
  job.set_reason("needs 2 slots");
  EXPECT_EQ(BarText(job, nullptr, absl::InfiniteDuration(), 4), "j1 waits: needs 2 slots");
}

TEST(BarTextTest, SaysWhatHoldsAJobUpThatHasTrainedAlready) {
  Job job = Running(30, 120);
  const StepMetrics step = Step(30);
  job.add_ranks()->set_doing("restores step 30");
  job.mutable_ranks(0)->set_phase(RANK_PHASE_STARTING);
  EXPECT_THAT(BarText(job, &step, absl::Seconds(5), 4), HasSubstr("5 left  restores step 30"))
      << "before it trains again";
  job.mutable_ranks(0)->set_phase(RANK_PHASE_TRAINING);
  job.mutable_ranks(0)->set_step(30);
  EXPECT_THAT(BarText(job, &step, absl::Seconds(5), 4), Not(HasSubstr("restores")));
  job.set_state(JOB_STATE_PENDING);
  job.set_reason("w0: data.path is away; next try in 16 s");
  EXPECT_EQ(BarText(job, &step, absl::Seconds(5), 4),
            "[#---] 30/120  loss 0.7500  512 images/s  waits: w0: data.path is away; next try in 16 s");
  job.set_state(JOB_STATE_PAUSED);
  job.set_status_code(9);
  EXPECT_THAT(BarText(job, &step, absl::Seconds(5), 4), HasSubstr("is paused: w0: data.path is away"));
}

// Whatever a coordinator says: a bar has as many characters as it should.
TEST(BarTextTest, NumbersThatCannotBeMakeNoBarWrong) {
  EXPECT_EQ(BarText(Running(std::numeric_limits<int64_t>::max(), 3), nullptr, absl::InfiniteDuration(), 4).substr(0, 6),
            "[####]");
  EXPECT_EQ(BarText(Running(-5, 3), nullptr, absl::InfiniteDuration(), 4).substr(0, 6), "[----]");
  EXPECT_EQ(BarText(Running(5, -3), nullptr, absl::InfiniteDuration(), 4), "j1 starts");
}

TEST(ProgressTest, WithoutATerminalAWaitIsToldOnceAndNotWithEachOfItsNumbers) {
  testing::FakeClock clock;
  std::FILE* const file = std::tmpfile();
  Progress progress(file, &clock);
  Job job = Running(5, 100);
  progress.Show(job, nullptr);
  for (int second = 0; second < 60; ++second) {
    clock.Advance(absl::Seconds(1));
    job.clear_ranks();
    job.add_ranks()->set_waiting_for(
        absl::StrCat(second < 30 ? "images: data.path is away for " : "teacher clip for ", second, "s"));
    progress.Show(job, nullptr);
  }
  EXPECT_EQ(Written(file),
            "[#-----------------------] 5/100\n"
            "[#-----------------------] 5/100  waits for images: data.path is away for 2s\n"
            "[#-----------------------] 5/100  waits for teacher clip for 32s\n");
}

TEST(ProgressTest, AWaitThatComesAndGoesWithEachStepIsNotTold) {
  testing::FakeClock clock;
  std::FILE* const file = std::tmpfile();
  Progress progress(file, &clock);
  Job job = Running(5, 100);
  progress.Show(job, nullptr);
  job.add_ranks();
  for (int look = 0; look < 12; ++look) {
    clock.Advance(absl::Milliseconds(300));
    job.mutable_ranks(0)->set_waiting_for(look % 2 == 0 ? "teacher clip" : "");
    progress.Show(job, nullptr);
  }
  EXPECT_EQ(Written(file), "[#-----------------------] 5/100\n");
}

TEST(ProgressTest, WithoutATerminalALineNowAndThen) {
  testing::FakeClock clock;
  std::FILE* const file = std::tmpfile();
  {
    Progress progress(file, &clock);
    for (int64_t second = 0; second < 11; ++second) {
      progress.Show(Running(second, 100), nullptr);
      clock.Advance(absl::Seconds(1));
    }
    Job done = Running(11, 100);
    done.set_state(JOB_STATE_CANCELLED);
    progress.Show(done, nullptr);
    progress.Say("hello");
    progress.Done();
  }
  EXPECT_EQ(Written(file),
            "j1 starts\n[#-----------------------] 5/100  1:35 left\n[##----------------------] 10/100  1:30 "
            "left\n[##----------------------] 11/100  cancelled\nhello\n");
}

TEST(ProgressTest, WhatIsLeftIsJudgedByThePaceOfStepsAlone) {
  testing::FakeClock clock;
  std::FILE* const file = std::tmpfile();
  {
    Progress progress(file, &clock);
    progress.Show(Running(0, 100), nullptr);
    clock.Advance(absl::Seconds(300));  // it evaluates the untrained encoder
    progress.Show(Running(1, 100), nullptr);
    clock.Advance(absl::Seconds(10));
    progress.Show(Running(11, 100), nullptr);
  }
  EXPECT_EQ(Written(file),
            "j1 starts\n[------------------------] 1/100\n[##----------------------] 11/100  1:29 left\n");
}

// A terminal of 40 columns, as a person has it.
TEST(ProgressTest, OnATerminalTheBarNeverWraps) {
  int controller = -1, terminal = -1;
  winsize size{};
  size.ws_col = 40;
  size.ws_row = 10;
  ASSERT_EQ(openpty(&controller, &terminal, nullptr, nullptr, &size), 0);
  std::FILE* const out = fdopen(terminal, "w");
  {
    testing::FakeClock clock;
    Progress progress(out, &clock);
    Job job = Running(0, 0);
    job.set_state(JOB_STATE_PENDING);
    job.set_reason("needs 64 slots of 2 cores each;\nthere are 3 workers, of which 2 are busy with j0");
    progress.Show(job, nullptr);
  }
  std::string text(4096, '\0');
  text.resize(static_cast<size_t>(std::max<ssize_t>(0, read(controller, &text[0], text.size()))));
  std::fclose(out);
  close(controller);
  EXPECT_EQ(text, "\r\033[Kj1 waits: needs 64 slots of 2 cores ...");
}

}  // namespace
}  // namespace mimeo
