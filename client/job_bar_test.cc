#include "client/job_bar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pty.h>
#include <unistd.h>

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/testing/fake_clock.h"
#include "client/testing/told.h"

namespace mimeo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::Running;
using testing::Step;

std::string Written(std::FILE* file) {
  std::rewind(file);
  std::string text(65536, '\0');
  text.resize(std::fread(&text[0], 1, text.size(), file));
  std::fclose(file);
  return text;
}

// At noon.
std::string Bar(const Job& job, const StepMetrics* newest, absl::Duration left, int width) {
  return BarText(job, newest, left, width, absl::UnixEpoch() + absl::Hours(12), absl::UTCTimeZone());
}

TEST(BarTextTest, ShowsStepLossPaceAndWhatIsLeft) {
  const StepMetrics step = Step(30);
  EXPECT_EQ(Bar(Running(30, 120), &step, absl::Seconds(83), 8),
            "[##------] 30/120  loss 0.7500  512 images/s  1:23 left, ends 12:01");
  EXPECT_EQ(Bar(Running(120, 120), nullptr, absl::ZeroDuration(), 4), "[####] 120/120");
}

TEST(BarTextTest, SaysWhatAJobWaitsFor) {
  Job job = Running(30, 120);
  job.add_ranks()->set_waiting_for("teacher clip");
  EXPECT_THAT(Bar(job, nullptr, absl::InfiniteDuration(), 4), HasSubstr("waits for teacher clip"));
  job.set_state(JOB_STATE_PENDING);
  job.set_step(0);
  job.set_total_steps(0);
  job.clear_ranks();
  job.set_reason("needs 2 slots");
  EXPECT_EQ(Bar(job, nullptr, absl::InfiniteDuration(), 4), "j1 waits: needs 2 slots");
}

TEST(BarTextTest, SaysWhyAJobWaitsAndWhichWorkerIsSilent) {
  Job job = Running(30, 120);
  job.set_silence("host1 silent 43 s; given up at 60 s");
  EXPECT_THAT(Bar(job, nullptr, absl::InfiniteDuration(), 4), HasSubstr("30/120  host1 silent 43 s; given up at 60 s"));
  job.set_state(JOB_STATE_PENDING);
  job.set_reason("submitted");
  job.set_why("needs 3 slots on workers; free: w0 1 of 1");
  EXPECT_THAT(Bar(job, nullptr, absl::InfiniteDuration(), 4),
              HasSubstr("waits: needs 3 slots on workers; free: w0 1 of 1"));
}

TEST(JobBarTest, ACoordinatorThatIsAwayIsSaidOnceInALogAndUntilWhenItIsWaitedFor) {
  testing::FakeClock clock;
  std::FILE* const file = std::tmpfile();
  JobBar bar(file, &clock, absl::UTCTimeZone());
  bar.ShowAway(absl::Seconds(1), absl::Minutes(1));
  bar.ShowAway(absl::Seconds(12), absl::Minutes(1));
  bar.ShowAway(absl::Seconds(13), absl::Minutes(1));
  bar.Show(Running(3, 12), nullptr);
  bar.ShowAway(absl::Seconds(5), absl::Minutes(1));
  const std::string written = Written(file);
  EXPECT_EQ(written, absl::StrCat("the coordinator has not answered for 12 s; given up at 60 s\n",
                                  "[######------------------] 3/12\n",
                                  "the coordinator has not answered for 5 s; given up at 60 s\n"));
}

TEST(BarTextTest, SaysWhatHoldsAJobUpThatHasTrainedAlready) {
  Job job = Running(30, 120);
  const StepMetrics step = Step(30);
  job.add_ranks()->set_doing("restores step 30");
  job.mutable_ranks(0)->set_phase(RANK_PHASE_STARTING);
  EXPECT_THAT(Bar(job, &step, absl::Seconds(5), 4), HasSubstr("5 left, ends 12:00  restores step 30"))
      << "before it trains again";
  job.mutable_ranks(0)->set_phase(RANK_PHASE_TRAINING);
  job.mutable_ranks(0)->set_step(30);
  EXPECT_THAT(Bar(job, &step, absl::Seconds(5), 4), Not(HasSubstr("restores")));
  job.set_state(JOB_STATE_PENDING);
  job.set_reason("w0: data.path is away; next try in 16 s");
  EXPECT_EQ(Bar(job, &step, absl::Seconds(5), 4),
            "[#---] 30/120  loss 0.7500  512 images/s  waits: w0: data.path is away; next try in 16 s");
  job.set_state(JOB_STATE_PAUSED);
  job.set_status_code(9);
  EXPECT_THAT(Bar(job, &step, absl::Seconds(5), 4), HasSubstr("is paused: w0: data.path is away"));
}

// Whatever a coordinator says: a bar has as many characters as it should.
TEST(BarTextTest, NumbersThatCannotBeMakeNoBarWrong) {
  EXPECT_EQ(Bar(Running(std::numeric_limits<int64_t>::max(), 3), nullptr, absl::InfiniteDuration(), 4).substr(0, 6),
            "[####]");
  EXPECT_EQ(Bar(Running(-5, 3), nullptr, absl::InfiniteDuration(), 4).substr(0, 6), "[----]");
  EXPECT_EQ(Bar(Running(5, -3), nullptr, absl::InfiniteDuration(), 4), "j1 starts");
}

TEST(JobBarTest, WithoutATerminalAWaitIsToldOnceAndNotWithEachOfItsNumbers) {
  testing::FakeClock clock;
  std::FILE* const file = std::tmpfile();
  JobBar bar(file, &clock, absl::UTCTimeZone());
  Job job = Running(5, 100);
  bar.Show(job, nullptr);
  for (int second = 0; second < 60; ++second) {
    clock.Advance(absl::Seconds(1));
    job.clear_ranks();
    job.add_ranks()->set_waiting_for(
        absl::StrCat(second < 30 ? "images: data.path is away for " : "teacher clip for ", second, "s"));
    bar.Show(job, nullptr);
  }
  EXPECT_EQ(Written(file),
            "[#-----------------------] 5/100\n"
            "[#-----------------------] 5/100  waits for images: data.path is away for 2s\n"
            "[#-----------------------] 5/100  waits for teacher clip for 32s\n");
}

TEST(JobBarTest, AWaitThatComesAndGoesWithEachStepIsNotTold) {
  testing::FakeClock clock;
  std::FILE* const file = std::tmpfile();
  JobBar bar(file, &clock, absl::UTCTimeZone());
  Job job = Running(5, 100);
  bar.Show(job, nullptr);
  job.add_ranks();
  for (int look = 0; look < 12; ++look) {
    clock.Advance(absl::Milliseconds(300));
    job.mutable_ranks(0)->set_waiting_for(look % 2 == 0 ? "teacher clip" : "");
    bar.Show(job, nullptr);
  }
  EXPECT_EQ(Written(file), "[#-----------------------] 5/100\n");
}

TEST(JobBarTest, WithoutATerminalALineNowAndThen) {
  testing::FakeClock clock;
  std::FILE* const file = std::tmpfile();
  {
    JobBar bar(file, &clock, absl::UTCTimeZone());
    for (int64_t second = 0; second < 11; ++second) {
      bar.Show(Running(second, 100), nullptr);
      clock.Advance(absl::Seconds(1));
    }
    Job done = Running(11, 100);
    done.set_state(JOB_STATE_CANCELLED);
    bar.Show(done, nullptr);
    bar.Say("hello");
    bar.Done();
  }
  EXPECT_EQ(
      Written(file),
      "j1 starts\n[#-----------------------] 5/100  1:35 left, ends 00:01\n[##----------------------] 10/100  1:30 "
      "left, ends 00:01\n[##----------------------] 11/100  cancelled\nhello\n");
}

TEST(JobBarTest, WhatIsLeftIsJudgedByThePaceOfStepsAlone) {
  testing::FakeClock clock;
  std::FILE* const file = std::tmpfile();
  {
    JobBar bar(file, &clock, absl::UTCTimeZone());
    bar.Show(Running(0, 100), nullptr);
    clock.Advance(absl::Seconds(300));  // it evaluates the untrained encoder
    bar.Show(Running(1, 100), nullptr);
    clock.Advance(absl::Seconds(10));
    bar.Show(Running(11, 100), nullptr);
  }
  EXPECT_EQ(Written(file),
            "j1 starts\n[------------------------] 1/100\n[##----------------------] 11/100  1:29 left, ends 00:06\n");
}

// A terminal of 40 columns, as a person has it.
TEST(JobBarTest, OnATerminalTheBarNeverWraps) {
  int controller = -1, terminal = -1;
  winsize size{};
  size.ws_col = 40;
  size.ws_row = 10;
  ASSERT_EQ(openpty(&controller, &terminal, nullptr, nullptr, &size), 0);
  std::FILE* const out = fdopen(terminal, "w");
  {
    testing::FakeClock clock;
    JobBar bar(out, &clock);
    Job job = Running(0, 0);
    job.set_state(JOB_STATE_PENDING);
    job.set_reason("needs 64 slots of 2 cores each;\nthere are 3 workers, of which 2 are busy with j0");
    bar.Show(job, nullptr);
  }
  std::string text(4096, '\0');
  text.resize(static_cast<size_t>(std::max<ssize_t>(0, read(controller, &text[0], text.size()))));
  std::fclose(out);
  close(controller);
  EXPECT_EQ(text, "\r\033[Kj1 waits: needs 64 slots of 2 cores ...");
}

TEST(BarTextTest, TimeThatIsLeftIsMinutesOrHours) {
  const auto left = [](absl::Duration duration) {
    const std::string text = Bar(Running(1, 2), nullptr, duration, 1);
    return text.substr(text.find(']') + 2);
  };
  EXPECT_EQ(left(absl::Milliseconds(999)), "1/2  0:00 left, ends 12:00");
  EXPECT_EQ(left(absl::Seconds(3599)), "1/2  59:59 left, ends 12:59");
  EXPECT_EQ(left(absl::Seconds(3600)), "1/2  1:00:00 left, ends 13:00");
  EXPECT_EQ(left(absl::Hours(1000) + absl::Seconds(61)), "1/2  1000:01:01 left, ends Thu 12 Feb 04:01");
  EXPECT_EQ(left(absl::InfiniteDuration()), "1/2");
}

TEST(BarTextTest, ALossThatIsNotFiniteIsSaid) {
  StepMetrics step = Step(1);
  step.set_loss(std::numeric_limits<double>::quiet_NaN());
  step.set_images_per_second(std::numeric_limits<double>::infinity());
  EXPECT_EQ(Bar(Running(1, 2), &step, absl::InfiniteDuration(), 2), "[#-] 1/2  loss nan  inf images/s");
}

TEST(BarTextTest, WithoutAStepTheStateStandsInTheBarsPlace) {
  Job job = Running(0, 0);
  const auto text = [&](JobState state) {
    job.set_state(state);
    return Bar(job, nullptr, absl::InfiniteDuration(), 4);
  };
  EXPECT_EQ(text(JOB_STATE_SUCCEEDED), "j1 done");
  EXPECT_EQ(text(JOB_STATE_FAILED), "j1 failed");
  EXPECT_EQ(text(JOB_STATE_PAUSED), "j1 paused") << "by a person";
  job.add_ranks()->set_doing("lists images");
  EXPECT_EQ(text(JOB_STATE_RUNNING), "j1 starts: lists images");
}

// Whatever numbers a coordinator says, in whatever order.
TEST(JobBarTest, NumbersAtTheirEndsMakeNoTimeThatIsLeft) {
  testing::FakeClock clock;
  std::FILE* const file = std::tmpfile();
  JobBar bar(file, &clock, absl::UTCTimeZone());
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min(), kMax = std::numeric_limits<int64_t>::max();
  for (const int64_t step : {kMin, kMin + 1, int64_t{-1}, int64_t{0}, kMax, kMin, kMax}) {
    bar.Show(Running(step, kMax), nullptr);
    clock.Advance(absl::Seconds(10));
  }
  const std::string written = Written(file);
  EXPECT_THAT(written, HasSubstr("] 0/9223372036854775807"));
  EXPECT_THAT(written, HasSubstr("] 9223372036854775807/9223372036854775807\n"));
  EXPECT_THAT(written, Not(HasSubstr("  -"))) << "no time is below 0";
}

TEST(JobBarTest, ThePaceOfAnEarlierGenerationSaysNothing) {
  testing::FakeClock clock;
  std::FILE* const file = std::tmpfile();
  JobBar bar(file, &clock, absl::UTCTimeZone());
  for (const int64_t step : {0, 50, 51}) {
    bar.Show(Running(step, 100), nullptr);
    clock.Advance(absl::Seconds(10));
  }
  Job job = Running(40, 100);  // from its checkpoint, on a slower host
  job.set_generation(2);
  bar.Show(job, nullptr);
  EXPECT_THAT(Written(file), ::testing::EndsWith("40/100\n"));
}

// What a person sees who has so many columns, of a job whose name and reason are what they are.
std::string OnATerminal(unsigned short columns, const Job& job) {
  int controller = -1, terminal = -1;
  winsize size{};
  size.ws_col = columns;
  size.ws_row = 10;
  EXPECT_EQ(openpty(&controller, &terminal, nullptr, nullptr, &size), 0);
  std::FILE* const out = fdopen(terminal, "w");
  testing::FakeClock clock;
  JobBar bar(out, &clock);
  bar.Show(job, nullptr);
  std::string text(65536, '\0');
  text.resize(static_cast<size_t>(std::max<ssize_t>(0, read(controller, &text[0], text.size()))));
  std::fclose(out);
  close(controller);
  return text;
}

TEST(JobBarTest, OnTerminalsOfEveryWidthOneLineIsDrawnAndNothingElseIsObeyed) {
  Job job = Running(0, 0);
  job.set_state(JOB_STATE_PENDING);
  job.set_reason("caf\xe9 \x1b[2J\r\nis away");
  EXPECT_EQ(OnATerminal(1000, job), "\r\x1b[Kj1 waits: caf\\xe9 \\x1b[2J\\x0d is away");
  EXPECT_EQ(OnATerminal(12, job), "\r\x1b[Kj1 waits...");
  EXPECT_EQ(OnATerminal(4, job), "\r\x1b[K...");
  EXPECT_EQ(OnATerminal(2, job), "\r\x1b[K.");
  EXPECT_EQ(OnATerminal(0, job), OnATerminal(80, job)) << "a terminal that does not know its width";
}

}  // namespace
}  // namespace mimeo
