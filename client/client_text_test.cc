// What the client prints, as text: bars, tables, JSON, exit codes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pty.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "base/testing/fake_clock.h"
#include "client/exit_code.h"
#include "client/metrics_json.h"
#include "client/progress.h"
#include "client/table.h"
#include "client/utilization_text.h"

namespace mimeo {
namespace {

using ::testing::HasSubstr;

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

TEST(BarTextTest, ShowsStepLossPaceAndWhatIsLeft) {
  const StepMetrics step = Step(30);
  EXPECT_EQ(BarText(Running(30, 120), &step, absl::Seconds(83), 8), "[##------] 30/120  loss 0.7500  512 images/s  1:23 left");
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
  std::rewind(file);
  std::string text(4096, '\0');
  text.resize(std::fread(&text[0], 1, text.size(), file));
  std::fclose(file);
  EXPECT_EQ(text, "j1 starts\n[#-----------------------] 5/100  1:35 left\n[##----------------------] 10/100  1:30 left\n[##----------------------] 11/100  1:29 left\nhello\n");
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
  std::rewind(file);
  std::string text(4096, '\0');
  text.resize(std::fread(&text[0], 1, text.size(), file));
  std::fclose(file);
  EXPECT_EQ(text, "j1 starts\n[------------------------] 1/100\n[##----------------------] 11/100  1:29 left\n");
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

TEST(StepJsonTest, HasTheFieldsOfMetricsJsonl) {
  EXPECT_EQ(StepJson(Step(2)),
            R"({"step":2,"epoch":0.5,"images":64,"loss":0.75,"loss/mimic":0.25,"loss/pixels":0.5,"learning_rate":0.0001,"grad_norm":0.0,)"
            R"("images_per_second":512.0,"data_wait":0.125,"teacher_wait":0.0})");
}

Utilization OneStep() {
  Utilization utilization;
  utilization.set_step_seconds(2);
  utilization.set_communication_seconds(0.25);
  utilization.set_data_wait_seconds(0.5);
  utilization.set_gflop_per_second(300e3);
  utilization.set_peak_memory_bytes(1500000000);
  return utilization;
}

TEST(UtilizationTextTest, SplitsAStepAndSaysUnknownWhereNoPeakIsKnown) {
  EXPECT_EQ(UtilizationText(OneStep()),
            "step 2.000s: compute 1.250s, communication 0.250s, images 0.500s, teacher 0.000s; 300000.0 GFLOP/s, MFU unknown; 1500 MB at most");
  Utilization known = OneStep();
  known.set_peak_gflop_per_second(1e6);
  EXPECT_THAT(UtilizationText(known), HasSubstr("MFU 30.0%"));
}

TEST(StepJsonTest, MfuIsThereWhereThePeakIsKnown) {
  StepMetrics step = Step(2);
  *step.mutable_utilization() = OneStep();
  EXPECT_THAT(StepJson(step), HasSubstr(R"("step_seconds":2.0,"communication":0.25,"gflop_per_second":300000.0,"peak_memory_bytes":1500000000})"));
  step.mutable_utilization()->set_peak_gflop_per_second(1e6);
  EXPECT_THAT(StepJson(step), HasSubstr(R"("mfu":0.3,)"));
}

TEST(StepJsonTest, ALossThatIsNotFiniteIsNull) {
  StepMetrics step = Step(2);
  step.set_loss(std::nan(""));
  EXPECT_THAT(StepJson(step), HasSubstr("\"loss\":null"));
}

TEST(EvaluationJsonTest, HasItsValuesByName) {
  EvaluationResult evaluation;
  evaluation.set_step(7);
  (*evaluation.mutable_values())["knn_accuracy"] = 0.5;
  EXPECT_EQ(EvaluationJson(evaluation), R"({"step":7,"knn_accuracy":0.5})");
}

TEST(TableTextTest, AlignsColumns) { EXPECT_EQ(TableText({{"JOB", "NAME"}, {"j100", "a b"}}), "JOB   NAME\nj100  a b\n"); }

TEST(OneLineTest, CutsAtACharacterAndKeepsControlCodesOut) {
  EXPECT_EQ(OneLine("a\nb\tc\x1b[31md", 100), "a b c [31md");
  EXPECT_EQ(OneLine("abcdef", 6), "abcdef");
  EXPECT_EQ(OneLine("abcdefg", 6), "abc...");
  EXPECT_EQ(OneLine("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 5), "\xc3\xa9\xc3\xa9...");
  EXPECT_EQ(OneLine("\xc3\xa9\xc3\xa9", 2), "\xc3\xa9\xc3\xa9");
  EXPECT_EQ(OneLine("abcd", 2), "..");
  EXPECT_EQ(OneLine("", 5), "");
}

TEST(ExitCodeTest, SaysWhoseFaultItWas) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), 0);
  EXPECT_EQ(ExitCodeOf(absl::InternalError("")), 1);
  EXPECT_EQ(ExitCodeOf(absl::InvalidArgumentError("")), 2);
  EXPECT_EQ(ExitCodeOf(absl::NotFoundError("")), 2);
  EXPECT_EQ(ExitCodeOf(absl::UnavailableError("")), 3);
}

}  // namespace
}  // namespace mimeo
