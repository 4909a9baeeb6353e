// What the client prints, as text: bars, tables, JSON, exit codes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pty.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/testing/fake_clock.h"
#include "client/exit_code.h"
#include "client/job_bar.h"
#include "client/job_text.h"
#include "client/json_text.h"
#include "client/metrics_json.h"
#include "client/print.h"
#include "client/table.h"
#include "client/utilization_text.h"
#include "client/worker_text.h"

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

std::string Written(std::FILE* file) {
  std::rewind(file);
  std::string text(65536, '\0');
  text.resize(std::fread(&text[0], 1, text.size(), file));
  std::fclose(file);
  return text;
}

TEST(ProgressTest, WithoutATerminalAWaitIsToldOnceAndNotWithEachOfItsNumbers) {
  testing::FakeClock clock;
  std::FILE* const file = std::tmpfile();
  JobBar bar(file, &clock);
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

TEST(ProgressTest, AWaitThatComesAndGoesWithEachStepIsNotTold) {
  testing::FakeClock clock;
  std::FILE* const file = std::tmpfile();
  JobBar bar(file, &clock);
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

TEST(ProgressTest, WithoutATerminalALineNowAndThen) {
  testing::FakeClock clock;
  std::FILE* const file = std::tmpfile();
  {
    JobBar bar(file, &clock);
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
  EXPECT_EQ(Written(file),
            "j1 starts\n[#-----------------------] 5/100  1:35 left\n[##----------------------] 10/100  1:30 "
            "left\n[##----------------------] 11/100  cancelled\nhello\n");
}

TEST(ProgressTest, WhatIsLeftIsJudgedByThePaceOfStepsAlone) {
  testing::FakeClock clock;
  std::FILE* const file = std::tmpfile();
  {
    JobBar bar(file, &clock);
    bar.Show(Running(0, 100), nullptr);
    clock.Advance(absl::Seconds(300));  // it evaluates the untrained encoder
    bar.Show(Running(1, 100), nullptr);
    clock.Advance(absl::Seconds(10));
    bar.Show(Running(11, 100), nullptr);
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

TEST(StepJsonTest, HasTheFieldsOfMetricsJsonl) {
  EXPECT_EQ(
      StepJson(Step(2)),
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
            "step 2.000s: compute 1.250s, communication 0.250s, images 0.500s, teacher 0.000s; 300000.0 GFLOP/s, MFU "
            "unknown; 1500 MB at most");
  Utilization known = OneStep();
  known.set_peak_gflop_per_second(1e6);
  EXPECT_THAT(UtilizationText(known), HasSubstr("MFU 30.0%"));
}

TEST(StepJsonTest, MfuIsThereWhereThePeakIsKnown) {
  StepMetrics step = Step(2);
  *step.mutable_utilization() = OneStep();
  EXPECT_THAT(
      StepJson(step),
      HasSubstr(
          R"("step_seconds":2.0,"communication":0.25,"gflop_per_second":300000.0,"peak_memory_bytes":1500000000})"));
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

TEST(TableTest, AlignsColumnsByCharacters) {
  EXPECT_EQ(TableText({{"JOB", "NAME"}, {"j100", "a b"}}), "JOB   NAME\nj100  a b\n");
  EXPECT_EQ(TableText({{"\xc3\xa9\xc3\xa9", "x"}, {"abc", "y"}}), "\xc3\xa9\xc3\xa9   x\nabc  y\n");
  EXPECT_EQ(TableText({}), "");
}

TEST(TableTest, ComesInPartsAndOneCellStaysOneCell) {
  Table table({"A", "B"});
  table.Add({"long", "1"});
  EXPECT_EQ(table.Take(), "A     B\nlong  1\n");
  table.Add({"a\nmimeo: done", "\x1b[2J"});
  EXPECT_EQ(table.Take(), "a\\x0amimeo: done  \\x1b[2J\n");
  table.Add({std::string(5000, 'x'), "2"});
  table.Add({"y", "3"});
  EXPECT_LT(table.Take().size(), 5000u) << "a long cell is cut, and widens no other row";
}

TEST(PrintedLinesTest, PrintsWholeLinesAsTextHoweverTheyCome) {
  const std::string said = "caf\xc3\xa9 \x1b[31m\nprogress 1\rprogress 2\n\xe9\xc2\x9b\tend";
  const std::string text = "caf\xc3\xa9 \\x1b[31m\nprogress 1\\x0dprogress 2\n\\xe9\\u{9b}\tend";
  for (size_t size = 1; size <= said.size(); ++size) {
    std::FILE* const file = std::tmpfile();
    {
      PrintedLines lines(file);
      for (size_t at = 0; at < said.size(); at += size) lines.Add(absl::string_view(said).substr(at, size));
    }
    EXPECT_EQ(Written(file), text) << "in pieces of " << size;
  }
}

TEST(PrintedLinesTest, ALineWithoutEndIsPrintedInPartsBetweenCharacters) {
  std::string said;
  while (said.size() < 70000) said += "\xf0\x9f\x98\x80";
  for (size_t shift = 0; shift < 4; ++shift) {
    std::FILE* const file = std::tmpfile();
    PrintedLines lines(file);
    lines.Add(std::string(shift, 'a') + said.substr(0, 66001));
    std::rewind(file);
    std::string printed(80000, '\0');
    printed.resize(std::fread(&printed[0], 1, printed.size(), file));
    EXPECT_GT(printed.size(), 60000u) << "what is held is bounded";
    EXPECT_EQ(printed.find('\\'), std::string::npos) << printed.substr(printed.size() - 20);
    lines.Add(said.substr(66001));
  }
}

TEST(JsonLineTest, WhatJsonCannotSayIsAnErrorAndNoHalfOfIt) {
  CheckpointManifest manifest;
  manifest.set_step(3);
  const auto json = JsonLine(manifest);
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_THAT(*json, HasSubstr(R"("step":"3")"));
  manifest.mutable_created()->set_seconds(std::numeric_limits<int64_t>::max());
  EXPECT_EQ(JsonLine(manifest).status().code(), absl::StatusCode::kDataLoss);
}

TEST(RankTextTest, SaysWhatItDoesHowLongItIsQuietAndWhichTeachersItSpokeTo) {
  RankStatus rank;
  rank.set_rank(2);
  rank.set_phase(RANK_PHASE_STARTING);
  rank.set_pid(77);
  rank.set_doing("lists images (12000 so far)\x1b");
  rank.mutable_quiet()->set_seconds(12);
  rank.mutable_patience()->set_seconds(120);
  rank.set_bad_samples(3);
  rank.add_teachers()->set_name("clip");
  rank.mutable_teachers(0)->set_weights_digest("0123456789abcdef");
  EXPECT_EQ(RankText(rank),
            "rank 2: starting pid 77 step 0, lists images (12000 so far)\\x1b, quiet 12s of 120s, 3 bad samples, "
            "teacher clip, weights 0123456789ab");
}

TEST(QuietRanksTextTest, NamesThoseThatHaveNotBegunAndTheQuietestFirst) {
  Job job;
  for (int i = 0; i < 40; ++i) {
    RankStatus* rank = job.add_ranks();
    rank->set_rank(i);
    rank->set_phase(i == 3 ? RANK_PHASE_JOINING : RANK_PHASE_TRAINING);
    rank->set_step(5);
    rank->set_doing("step 5");
    rank->mutable_quiet()->set_seconds(i >= 20 ? i : 0);
  }
  job.mutable_ranks(39)->set_waiting_for("teacher clip");  // the coordinator says so itself
  const std::string text = QuietRanksText(job);
  EXPECT_EQ(text.substr(0, 8), "rank 38:");
  EXPECT_THAT(text, HasSubstr("and 4 ranks more\n"));
  EXPECT_THAT(text, Not(HasSubstr("rank 39")));
}

TEST(EndTextTest, SaysHowToGoOn) {
  Job job = Running(50, 120);
  job.set_state(JOB_STATE_PAUSED);
  job.set_reason("the images changed");
  job.set_checkpoint_step(40);
  EXPECT_EQ(EndText(job),
            "j1 is paused: the images changed\nonce that is mended, `mimeo resume j1` goes on from step 40");
  job.set_state(JOB_STATE_FAILED);
  job.set_checkpoint_step(0);
  EXPECT_EQ(EndText(job), "j1 has failed: the images changed\nonce that is mended, `mimeo resume j1` begins it again");
  job.set_state(JOB_STATE_CANCELLED);
  EXPECT_EQ(EndText(job), "j1 was cancelled: the images changed");
}

TEST(WorkerRowTest, OneWordForItsStateAndTheCoordinatorsWordsForWhy) {
  Worker worker;
  worker.mutable_identity()->set_id("w1");
  worker.mutable_identity()->set_slots(4);
  worker.set_offered(true);
  const auto state = [&] { return WorkerRow(worker)[1]; };
  EXPECT_EQ(state(), "ready");
  worker.set_offered(false);
  EXPECT_EQ(state(), "ready") << "an earlier version's coordinator says nothing";
  worker.set_note("2 gangs failed here; offered again in 4m");
  worker.set_last_failure("data.path:\n/photos does not exist");
  EXPECT_EQ(state(), "avoided");
  EXPECT_EQ(WorkerRow(worker).back(),
            "2 gangs failed here; offered again in 4m; last failure: data.path: /photos does not exist");
  worker.set_drained(true);
  EXPECT_EQ(state(), "drained");
  EXPECT_EQ(DrainText(worker), "w1 is drained: its 4 slots are empty, and nothing new is placed there");
  worker.set_slots_busy(2);
  EXPECT_EQ(state(), "draining");
  EXPECT_EQ(DrainText(worker),
            "w1 is drained: nothing new is placed there; the gangs on 2 of its 4 slots move after a checkpoint");
  worker.set_leaving(true);
  EXPECT_EQ(state(), "leaving");
  worker.mutable_silent_for()->set_seconds(4);
  EXPECT_EQ(state(), "silent");
  worker.set_lease_expired(true);
  EXPECT_EQ(state(), "gone");
}

TEST(ExitCodeTest, SaysWhoseFaultItWas) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), 0);
  EXPECT_EQ(ExitCodeOf(absl::InternalError("")), 1);
  EXPECT_EQ(ExitCodeOf(absl::ResourceExhaustedError("the coordinator's disk is full")), 1);
  EXPECT_EQ(ExitCodeOf(absl::InvalidArgumentError("")), 2);
  EXPECT_EQ(ExitCodeOf(absl::NotFoundError("")), 2);
  EXPECT_EQ(ExitCodeOf(absl::UnavailableError("")), 3);
}

}  // namespace
}  // namespace mimeo
