#include "worker/agent/rank_table.h"

#include <gtest/gtest.h>
#include <signal.h>

namespace mimeo {
namespace {

using Kind = RankAction::Kind;

GangAssignment Assigned(const std::string& job, int64_t generation, int rank = 0, Stop stop = STOP_UNSPECIFIED) {
  GangAssignment assignment;
  assignment.set_job_id(job);
  assignment.set_generation(generation);
  assignment.set_rank(rank);
  assignment.set_num_ranks(2);
  assignment.set_stop(stop);
  return assignment;
}

RankStatus Says(const std::string& job, int64_t generation, int rank, RankPhase phase, int64_t step) {
  RankStatus status;
  status.set_job_id(job);
  status.set_generation(generation);
  status.set_rank(rank);
  status.set_phase(phase);
  status.set_step(step);
  return status;
}

// "start j1-g1-r0", one a line: what a table wants done.
std::string Text(const std::vector<RankAction>& actions) {
  const char* const names[] = {"start", "kill", "forget"};
  std::string text;
  for (const RankAction& action : actions) {
    text += std::string(names[static_cast<int>(action.kind)]) + " " + ToString(action.key) + "\n";
  }
  return text;
}

class RankTableTest : public testing::Test {
 protected:
  explicit RankTableTest(int slots = 2) : table_(Options(slots)) {}
  static RankTableOptions Options(int slots) {
    RankTableOptions options;
    options.slots = slots;
    return options;
  }

  std::string Reconcile() { return Text(table_.Reconcile(now_)); }
  std::vector<RankStatus> Statuses() const { return table_.Statuses(now_); }
  // A report of a process that uses `cores` of the CPU all the time.
  bool Reports(const RankStatus& status, bool in_collective = false, double cores = 0) {
    ReportRankRequest report;
    *report.mutable_status() = status;
    report.set_in_collective(in_collective);
    report.set_cpu_seconds(cores * absl::ToDoubleSeconds(now_ - absl::UnixEpoch()));
    return table_.Reported(report, now_);
  }
  void Advance(absl::Duration by) { now_ += by; }
  // Time passes as it does for an agent that looks every second; returns what it did meanwhile.
  std::string Watch(absl::Duration by) {
    std::string text;
    for (absl::Duration passed; passed < by; passed += absl::Seconds(1)) {
      Advance(absl::Seconds(1));
      text += Reconcile();
    }
    return text;
  }
  // The same, while the process reports every second, until the table does something.
  std::string WatchReporting(absl::Duration by, const RankStatus& status, bool in_collective = false,
                             double cores = 0) {
    std::string text;
    for (absl::Duration passed; passed < by && text.empty(); passed += absl::Seconds(1)) {
      Advance(absl::Seconds(1));
      EXPECT_TRUE(Reports(status, in_collective, cores));
      text += Reconcile();
    }
    return text;
  }
  // Rank 0 of j1, generation 1, trains and has done `step` steps.
  void StartTraining(int64_t step) {
    table_.Assign({Assigned("j1", 1)});
    EXPECT_EQ(Reconcile(), "start j1-g1-r0\n");
    table_.Started(key_, 71, now_);
    EXPECT_TRUE(Reports(Says("j1", 1, 0, RANK_PHASE_TRAINING, step)));
  }

  const RankKey key_{"j1", 1, 0};
  absl::Time now_ = absl::UnixEpoch();
  RankTable table_;
};

TEST_F(RankTableTest, StartsEachAssignedRankOnce) {
  table_.Assign({Assigned("j1", 1, 0), Assigned("j1", 1, 1)});
  const auto actions = table_.Reconcile(now_);
  EXPECT_EQ(Text(actions), "start j1-g1-r0\nstart j1-g1-r1\n");
  EXPECT_EQ(actions[0].slot, 0);
  EXPECT_EQ(actions[1].slot, 1);
  EXPECT_EQ(Reconcile(), "") << "before the processes are reported as started";
  table_.Started({"j1", 1, 0}, 71, now_);
  table_.Started({"j1", 1, 1}, 72, now_);
  table_.Assign({Assigned("j1", 1, 0), Assigned("j1", 1, 1)});
  EXPECT_EQ(Reconcile(), "");
  const auto statuses = Statuses();
  ASSERT_EQ(statuses.size(), 2u);
  EXPECT_EQ(statuses[1].pid(), 72);
  EXPECT_EQ(statuses[1].phase(), RANK_PHASE_STARTING);
}

TEST_F(RankTableTest, SilenceOfTheCoordinatorStopsNothing) {
  StartTraining(1);
  for (int step = 2; step < 500; ++step) {
    Advance(absl::Seconds(1));
    EXPECT_TRUE(Reports(Says("j1", 1, 0, RANK_PHASE_TRAINING, step)));
    EXPECT_EQ(Reconcile(), "");
  }
  EXPECT_EQ(table_.Live(), 1);
}

TEST_F(RankTableTest, KillsWhatIsNotNamedAndForgetsItOnceItIsGone) {
  StartTraining(5);
  table_.Assign({});
  EXPECT_EQ(Reconcile(), "kill j1-g1-r0\n");
  EXPECT_EQ(Reconcile(), "") << "once";
  EXPECT_EQ(Statuses().size(), 1u) << "it still holds its slot";
  table_.Ended(key_, ExitStatus{0, SIGKILL}, "");
  EXPECT_EQ(Reconcile(), "forget j1-g1-r0\n");
  EXPECT_TRUE(Statuses().empty());
  EXPECT_EQ(table_.assignment(key_), nullptr);
}

TEST_F(RankTableTest, ANewGenerationWaitsUntilTheOldOneHasLeftTheSlot) {
  RankTable one(Options(1));
  one.Assign({Assigned("j1", 1)});
  EXPECT_EQ(Text(one.Reconcile(now_)), "start j1-g1-r0\n");
  one.Started(key_, 71, now_);
  one.Assign({Assigned("j1", 2)});
  EXPECT_EQ(Text(one.Reconcile(now_)), "kill j1-g1-r0\n");
  EXPECT_EQ(Text(one.Reconcile(now_)), "");
  one.Ended(key_, ExitStatus{0, SIGKILL}, "");
  EXPECT_EQ(Text(one.Reconcile(now_)), "forget j1-g1-r0\nstart j1-g2-r0\n");
}

TEST_F(RankTableTest, ADeathIsReportedUntilItsGenerationIsNoLongerNamedAndNeverRestarted) {
  StartTraining(5);
  table_.Ended(key_, ExitStatus{0, SIGKILL}, "step 5");
  for (int i = 0; i < 3; ++i) {
    table_.Assign({Assigned("j1", 1)});
    EXPECT_EQ(Reconcile(), "");
    const auto statuses = Statuses();
    ASSERT_EQ(statuses.size(), 1u);
    EXPECT_EQ(statuses[0].phase(), RANK_PHASE_FAILED);
    EXPECT_EQ(statuses[0].status_code(), static_cast<int>(absl::StatusCode::kUnavailable));
    EXPECT_NE(statuses[0].message().find("was killed by SIGKILL (9): out of memory?"), std::string::npos)
        << statuses[0].message();
    EXPECT_NE(statuses[0].message().find("step 5"), std::string::npos) << statuses[0].message();
    EXPECT_EQ(statuses[0].step(), 5);
  }
  EXPECT_EQ(table_.Live(), 0);
  table_.Assign({Assigned("j1", 2)});
  EXPECT_EQ(Reconcile(), "forget j1-g1-r0\nstart j1-g2-r0\n");
}

TEST_F(RankTableTest, AnUnexplainedExitIsInternal) {
  StartTraining(5);
  table_.Ended(key_, ExitStatus{3, 0}, "terminate called");
  EXPECT_EQ(Statuses()[0].status_code(), static_cast<int>(absl::StatusCode::kInternal));
  EXPECT_EQ(Statuses()[0].message(), "exited with code 3; its log ends: terminate called");
}

TEST_F(RankTableTest, TheRanksOwnErrorStandsAndAppearsOnlyOnceTheProcessIsGone) {
  StartTraining(5);
  RankStatus failed = Says("j1", 1, 0, RANK_PHASE_FAILED, 5);
  failed.set_status_code(static_cast<int>(absl::StatusCode::kDataLoss));
  failed.set_message("101 bad samples");
  EXPECT_TRUE(Reports(failed));
  EXPECT_EQ(Statuses()[0].phase(), RANK_PHASE_TRAINING);
  table_.Ended(key_, ExitStatus{1, 0}, "log");
  EXPECT_EQ(Statuses()[0].phase(), RANK_PHASE_FAILED);
  EXPECT_EQ(Statuses()[0].message(), "101 bad samples");
  EXPECT_EQ(Statuses()[0].pid(), 71);
  EXPECT_FALSE(Reports(failed)) << "a process that is gone does not speak";
}

TEST_F(RankTableTest, ARankThatIsDoneButDoesNotExitIsKilledAndCountsAsDone) {
  StartTraining(5);
  EXPECT_TRUE(Reports(Says("j1", 1, 0, RANK_PHASE_COMPLETED, 9)));
  EXPECT_EQ(Watch(absl::Seconds(9)), "");
  EXPECT_EQ(Watch(absl::Seconds(2)), "kill j1-g1-r0\n");
  table_.Ended(key_, ExitStatus{0, SIGKILL}, "");
  EXPECT_EQ(Statuses()[0].phase(), RANK_PHASE_COMPLETED);
  EXPECT_EQ(Statuses()[0].step(), 9);
}

TEST_F(RankTableTest, StopNowKillsAndIsNoFailure) {
  StartTraining(5);
  table_.Assign({Assigned("j1", 1, 0, STOP_NOW)});
  EXPECT_EQ(Reconcile(), "kill j1-g1-r0\n");
  EXPECT_EQ(Reconcile(), "");
  table_.Ended(key_, ExitStatus{0, SIGKILL}, "");
  EXPECT_EQ(Statuses()[0].phase(), RANK_PHASE_STOPPED);
}

TEST_F(RankTableTest, StopAfterCheckpointIsTheRanksToDo) {
  StartTraining(5);
  table_.Assign({Assigned("j1", 1, 0, STOP_AFTER_CHECKPOINT)});
  EXPECT_EQ(Reconcile(), "");
  EXPECT_EQ(table_.assignment(key_)->stop(), STOP_AFTER_CHECKPOINT);
}

TEST_F(RankTableTest, ALoneRankThatIsToldToStopBeforeItsFirstStepHasNothingToSave) {
  GangAssignment alone = Assigned("j1", 1);
  alone.set_num_ranks(1);
  table_.Assign({alone, Assigned("j2", 1)});
  Reconcile();
  table_.Started(key_, 71, now_);
  table_.Started({"j2", 1, 0}, 72, now_);
  alone.set_stop(STOP_AFTER_CHECKPOINT);
  table_.Assign({alone, Assigned("j2", 1, 0, STOP_AFTER_CHECKPOINT)});
  EXPECT_EQ(Reconcile(), "kill j1-g1-r0\n") << "the other one's gang may wait for it: it ends by itself";
  table_.Ended(key_, ExitStatus{0, SIGKILL}, "");
  EXPECT_EQ(Statuses()[0].phase(), RANK_PHASE_STOPPED);
}

TEST_F(RankTableTest, ARankThatIsToStopBeforeItStartedNeverStarts) {
  table_.Assign({Assigned("j1", 1, 0, STOP_AFTER_CHECKPOINT), Assigned("j1", 1, 1, STOP_NOW)});
  EXPECT_EQ(Reconcile(), "");
  ASSERT_EQ(Statuses().size(), 2u);
  EXPECT_EQ(Statuses()[0].phase(), RANK_PHASE_STOPPED);
  EXPECT_EQ(Statuses()[1].phase(), RANK_PHASE_STOPPED);
}

TEST_F(RankTableTest, ARankThatCannotBeStartedHasFailed) {
  table_.Assign({Assigned("j1", 1)});
  Reconcile();
  table_.NotStarted(key_, absl::NotFoundError("no binary"));
  EXPECT_EQ(Reconcile(), "");
  EXPECT_EQ(Statuses()[0].phase(), RANK_PHASE_FAILED);
  EXPECT_EQ(Statuses()[0].message(), "no binary");
}

TEST_F(RankTableTest, NoStepForAMinuteIsAHang) {
  StartTraining(5);
  const RankStatus stuck = Says("j1", 1, 0, RANK_PHASE_TRAINING, 5);
  EXPECT_EQ(WatchReporting(absl::Seconds(60), stuck), "");
  EXPECT_EQ(WatchReporting(absl::Seconds(1), stuck), "kill j1-g1-r0\n");
  table_.Ended(key_, ExitStatus{0, SIGKILL}, "");
  const RankStatus status = Statuses()[0];
  EXPECT_EQ(status.phase(), RANK_PHASE_FAILED);
  EXPECT_EQ(status.status_code(), static_cast<int>(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(status.message().find("hang: quiet for 1m1s (patience 1m) at step 5"), 0u) << status.message();
}

TEST_F(RankTableTest, WhatWasMeasuredBuysPatience) {
  StartTraining(5);
  RankStatus status = Says("j1", 1, 0, RANK_PHASE_TRAINING, 5);
  EXPECT_EQ(WatchReporting(absl::Seconds(49), status), "");
  status.set_progress(1);  // it was quiet for 50 s, and then moved without a step
  EXPECT_EQ(WatchReporting(absl::Seconds(1), status), "");
  EXPECT_EQ(Statuses()[0].patience().seconds(), 200);
  EXPECT_EQ(WatchReporting(absl::Seconds(200), status), "");
  EXPECT_EQ(Statuses()[0].quiet().seconds(), 200);
  EXPECT_EQ(WatchReporting(absl::Seconds(1), status), "kill j1-g1-r0\n");
}

TEST_F(RankTableTest, EachPhaseHasItsOwnPatience) {
  StartTraining(0);
  RankStatus status = Says("j1", 1, 0, RANK_PHASE_STARTING, 0);
  EXPECT_TRUE(Reports(status));
  EXPECT_EQ(WatchReporting(absl::Seconds(49), status), "");
  status.set_progress(1);
  EXPECT_EQ(WatchReporting(absl::Seconds(1), status), "");
  EXPECT_EQ(Statuses()[0].patience().seconds(), 200);
  status.set_phase(RANK_PHASE_TRAINING);
  EXPECT_TRUE(Reports(status));
  EXPECT_EQ(Statuses()[0].patience().seconds(), 60);
}

TEST_F(RankTableTest, MovingIsNoHangHoweverLongAStepTakes) {
  StartTraining(0);
  RankStatus status = Says("j1", 1, 0, RANK_PHASE_TRAINING, 0);
  for (int i = 1; i < 1000; ++i) {
    status.set_progress(i);
    EXPECT_EQ(WatchReporting(absl::Seconds(30), status), "");
  }
}

// One operator of a big model on a slow core; but a loop without end uses the CPU as well.
TEST_F(RankTableTest, AQuietRankThatComputesHasTenTimesThePatience) {
  StartTraining(0);
  const RankStatus status = Says("j1", 1, 0, RANK_PHASE_TRAINING, 0);
  EXPECT_EQ(WatchReporting(absl::Seconds(600), status, false, 0.1), "");
  EXPECT_EQ(WatchReporting(absl::Seconds(1), status, false, 0.1), "kill j1-g1-r0\n");
}

TEST_F(RankTableTest, OneThatComputedAndThenWaitsForADiskIsKilledThePatienceLater) {
  StartTraining(0);
  const RankStatus status = Says("j1", 1, 0, RANK_PHASE_TRAINING, 0);
  EXPECT_EQ(WatchReporting(absl::Seconds(100), status, false, 1), "");
  ReportRankRequest report;
  *report.mutable_status() = status;
  report.set_cpu_seconds(absl::ToDoubleSeconds(now_ - absl::UnixEpoch()));
  std::string done;
  for (int second = 0; second < 65; ++second) {
    Advance(absl::Seconds(1));
    EXPECT_TRUE(table_.Reported(report, now_));
    done += Reconcile();
    if (second < 59) {
      EXPECT_EQ(done, "") << second;
    }
  }
  EXPECT_EQ(done, "kill j1-g1-r0\n");
}

TEST_F(RankTableTest, AReportsOwnCpuTimeIsNoComputing) {
  StartTraining(0);
  const RankStatus status = Says("j1", 1, 0, RANK_PHASE_TRAINING, 0);
  EXPECT_EQ(WatchReporting(absl::Seconds(60), status, false, 0.02), "");
  EXPECT_EQ(WatchReporting(absl::Seconds(1), status, false, 0.02), "kill j1-g1-r0\n");
}

class HangInAnyPhaseTest : public RankTableTest, public testing::WithParamInterface<RankPhase> {};

TEST_P(HangInAnyPhaseTest, IsKilledAndNamed) {
  table_.Assign({Assigned("j1", 1)});
  EXPECT_EQ(Reconcile(), "start j1-g1-r0\n");
  table_.Started(key_, 71, now_);
  RankStatus status = Says("j1", 1, 0, GetParam(), 0);
  status.set_doing("lists images of /data");
  EXPECT_TRUE(Reports(status));
  EXPECT_EQ(WatchReporting(absl::Seconds(60), status), "");
  EXPECT_EQ(Statuses()[0].doing(), "lists images of /data");
  EXPECT_EQ(WatchReporting(absl::Seconds(1), status), "kill j1-g1-r0\n");
  table_.Ended(key_, ExitStatus{0, SIGKILL}, "");
  EXPECT_EQ(Statuses()[0].status_code(), static_cast<int>(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(Statuses()[0].message(), "hang: quiet for 1m1s (patience 1m) at step 0; doing: lists images of /data");
  EXPECT_FALSE(Statuses()[0].has_quiet());
}

INSTANTIATE_TEST_SUITE_P(Phases, HangInAnyPhaseTest,
                         testing::Values(RANK_PHASE_STARTING, RANK_PHASE_JOINING, RANK_PHASE_TRAINING));

// Rank 1 reads its images slowly; rank 0, which stands in the collective, hangs as little.
TEST_F(RankTableTest, InACollectiveTheRankThatIsWaitedForIsLookedAt) {
  table_.Assign({Assigned("j1", 1, 0), Assigned("j1", 1, 1)});
  Reconcile();
  table_.Started({"j1", 1, 0}, 71, now_);
  table_.Started({"j1", 1, 1}, 72, now_);
  const RankStatus waits = Says("j1", 1, 0, RANK_PHASE_TRAINING, 5);
  RankStatus slow = Says("j1", 1, 1, RANK_PHASE_TRAINING, 5);
  const auto watch = [&](int seconds) {
    std::string done;
    for (int second = 0; second < seconds && done.empty(); ++second) {
      Advance(absl::Seconds(1));
      EXPECT_TRUE(Reports(waits, true));
      EXPECT_TRUE(Reports(slow));
      done += Reconcile();
    }
    return done;
  };
  for (int i = 0; i < 200; ++i) {
    slow.set_progress(i);
    EXPECT_EQ(watch(30), "");
  }
  EXPECT_EQ(watch(300), "kill j1-g1-r1\n") << "the one that stands still by itself";
  table_.Ended({"j1", 1, 1}, ExitStatus{0, SIGKILL}, "");
  EXPECT_EQ(WatchReporting(absl::Seconds(590), waits, true), "") << "the other one may say what it sees of that";
}

TEST_F(RankTableTest, ACollectiveWithRanksElsewhereHasTenTimesThePatienceOrWhatItsOwnPartTook) {
  StartTraining(5);
  RankStatus status = Says("j1", 1, 0, RANK_PHASE_TRAINING, 5);
  EXPECT_EQ(WatchReporting(absl::Seconds(600), status, true), "");
  EXPECT_EQ(WatchReporting(absl::Seconds(1), status, true), "kill j1-g1-r0\n");
}

TEST_F(RankTableTest, ASlowOwnPartOfAStepLeavesTheOthersAsMuchTime) {
  StartTraining(5);
  RankStatus status = Says("j1", 1, 0, RANK_PHASE_TRAINING, 5);
  for (int i = 1; i <= 60; ++i) {
    status.set_progress(i);
    EXPECT_EQ(WatchReporting(absl::Seconds(20), status), "");  // 20 minutes of work
  }
  EXPECT_EQ(WatchReporting(absl::Minutes(78), status, true), "");
  EXPECT_EQ(WatchReporting(absl::Minutes(1), status, true), "kill j1-g1-r0\n");
}

TEST_F(RankTableTest, AProcessThatOutlivesSigkillFailsAllTheSameAndKeepsItsSlot) {
  RankTable one(Options(1));
  one.Assign({Assigned("j1", 1)});
  one.Reconcile(now_);
  one.Started(key_, 71, now_);
  const auto watch = [&](int seconds) {
    std::string text;
    for (int i = 0; i < seconds; ++i) Advance(absl::Seconds(1)), text += Text(one.Reconcile(now_));
    return text;
  };
  ReportRankRequest report;
  *report.mutable_status() = Says("j1", 1, 0, RANK_PHASE_STARTING, 0);
  EXPECT_TRUE(one.Reported(report, now_));
  EXPECT_EQ(watch(61), "kill j1-g1-r0\n");
  EXPECT_EQ(one.Statuses(now_)[0].phase(), RANK_PHASE_STARTING);
  const int64_t news = one.news();
  EXPECT_EQ(watch(11), "");
  EXPECT_GT(one.news(), news);
  EXPECT_EQ(one.Statuses(now_)[0].phase(), RANK_PHASE_FAILED);
  EXPECT_NE(one.Statuses(now_)[0].message().find("does not die of SIGKILL"), std::string::npos)
      << one.Statuses(now_)[0].message();
  EXPECT_FALSE(one.Reported(report, now_)) << "it was given up, and speaks no more";
  EXPECT_TRUE(one.Idle()) << "an agent that is told to stop does not wait for it";
  one.Assign({Assigned("j1", 1), Assigned("j2", 1)});
  EXPECT_EQ(watch(61), "");
  EXPECT_EQ(one.Statuses(now_)[1].phase(), RANK_PHASE_STARTING);
  EXPECT_EQ(watch(1), "");
  EXPECT_EQ(one.Statuses(now_)[1].phase(), RANK_PHASE_FAILED);
  EXPECT_EQ(
      one.Statuses(now_)[1].message(),
      "no slot of its worker became free within 1m; they are held by j1-g1-r0 (pid 71, which does not die of SIGKILL)");
  one.Ended(key_, ExitStatus{0, SIGKILL}, "");
  one.Assign({Assigned("j3", 1)});
  EXPECT_EQ(watch(1), "forget j1-g1-r0\nforget j2-g1-r0\nstart j3-g1-r0\n");
}

TEST_F(RankTableTest, WaitingIsNoHangForTheWholeGang) {
  table_.Assign({Assigned("j1", 1, 0), Assigned("j1", 1, 1)});
  Reconcile();
  table_.Started({"j1", 1, 0}, 71, now_);
  table_.Started({"j1", 1, 1}, 72, now_);
  RankStatus waits = Says("j1", 1, 0, RANK_PHASE_TRAINING, 5);
  waits.set_waiting_for("teacher frozen");
  const RankStatus blocked = Says("j1", 1, 1, RANK_PHASE_TRAINING, 5);
  for (int second = 0; second < 1000; ++second) {
    Advance(absl::Seconds(1));
    EXPECT_TRUE(Reports(waits));
    EXPECT_TRUE(Reports(blocked));
    EXPECT_EQ(Reconcile(), "");
  }
  EXPECT_EQ(Statuses()[0].waiting_for(), "teacher frozen");
  // The wait was no step: it must not count as one that takes 1000 s.
  EXPECT_TRUE(Reports(Says("j1", 1, 1, RANK_PHASE_TRAINING, 6)));
  EXPECT_TRUE(Reports(Says("j1", 1, 0, RANK_PHASE_TRAINING, 6)));
  std::string done;
  for (int second = 0; second < 61; ++second) {
    Advance(absl::Seconds(1));
    Reports(Says("j1", 1, 0, RANK_PHASE_TRAINING, 6));
    Reports(Says("j1", 1, 1, RANK_PHASE_TRAINING, 6));
    done += Reconcile();
  }
  EXPECT_EQ(done, "kill j1-g1-r0\nkill j1-g1-r1\n");
}

TEST_F(RankTableTest, ARankElsewhereThatWaitsExcusesThoseHere) {
  StartTraining(5);
  GangAssignment assignment = Assigned("j1", 1);
  assignment.set_gang_waits_for("teacher frozen");
  table_.Assign({assignment});
  const RankStatus blocked = Says("j1", 1, 0, RANK_PHASE_TRAINING, 5);
  EXPECT_EQ(WatchReporting(absl::Minutes(20), blocked), "");
  table_.Assign({Assigned("j1", 1)});
  EXPECT_EQ(WatchReporting(absl::Seconds(60), blocked), "");
  EXPECT_EQ(WatchReporting(absl::Seconds(1), blocked), "kill j1-g1-r0\n");
}

TEST_F(RankTableTest, AProcessThatFallsSilentIsHungInAnyPhase) {
  table_.Assign({Assigned("j1", 1)});
  Reconcile();
  table_.Started(key_, 71, now_);
  EXPECT_TRUE(Reports(Says("j1", 1, 0, RANK_PHASE_STARTING, 0)));
  EXPECT_EQ(Watch(absl::Seconds(60)), "");
  EXPECT_EQ(Watch(absl::Seconds(1)), "kill j1-g1-r0\n");
}

// A machine that swaps: what was silent for long and spoke again may be so again.
TEST_F(RankTableTest, SilenceThatWasMeasuredBuysPatienceToo) {
  StartTraining(5);
  EXPECT_EQ(Watch(absl::Seconds(40)), "");
  EXPECT_TRUE(Reports(Says("j1", 1, 0, RANK_PHASE_TRAINING, 6)));
  EXPECT_EQ(Watch(absl::Seconds(160)), "");
  EXPECT_EQ(Watch(absl::Seconds(1)), "kill j1-g1-r0\n");
}

TEST_F(RankTableTest, WhatTheCoordinatorShouldHearAtOnceIsNews) {
  StartTraining(5);
  RankStatus status = Says("j1", 1, 0, RANK_PHASE_TRAINING, 5);
  const auto is_news = [&] {
    const int64_t before = table_.news();
    EXPECT_TRUE(Reports(status));
    return table_.news() > before;
  };
  status.set_step(6);
  status.set_progress(7);
  EXPECT_FALSE(is_news()) << "a step can wait for the next heartbeat";
  status.set_store_address("127.0.0.1:4242");
  EXPECT_TRUE(is_news());
  status.add_teachers()->set_name("clip");
  EXPECT_TRUE(is_news());
  EXPECT_FALSE(is_news());
  status.set_phase(RANK_PHASE_JOINING);
  EXPECT_TRUE(is_news());
}

TEST_F(RankTableTest, LoadingTheProgramMayTakeThreeTimesAsLong) {
  table_.Assign({Assigned("j1", 1)});
  Reconcile();
  table_.Started(key_, 71, now_);
  EXPECT_EQ(Statuses()[0].doing(), "loads its program");
  EXPECT_EQ(Statuses()[0].patience().seconds(), 180);
  EXPECT_EQ(Watch(absl::Seconds(180)), "");
  EXPECT_EQ(Watch(absl::Seconds(1)), "kill j1-g1-r0\n");
}

TEST_F(RankTableTest, JoiningMayTakeLongWhileTheRankLooksForTheOthers) {
  table_.Assign({Assigned("j1", 1)});
  Reconcile();
  table_.Started(key_, 71, now_);
  RankStatus status = Says("j1", 1, 0, RANK_PHASE_JOINING, 0);
  for (int i = 0; i < 100; ++i) {
    status.set_progress(i);
    EXPECT_EQ(WatchReporting(absl::Seconds(30), status), "");
  }
}

TEST_F(RankTableTest, TheAgentsOwnSleepIsNobodysHang) {
  StartTraining(5);
  Advance(absl::Hours(8));
  EXPECT_EQ(Reconcile(), "");
  EXPECT_EQ(WatchReporting(absl::Seconds(60), Says("j1", 1, 0, RANK_PHASE_TRAINING, 5)), "");
  EXPECT_EQ(WatchReporting(absl::Seconds(1), Says("j1", 1, 0, RANK_PHASE_TRAINING, 5)), "kill j1-g1-r0\n");
}

TEST_F(RankTableTest, LeavingTellsWhatRunsToTakeACheckpointAndStartsNothing) {
  StartTraining(5);
  table_.Assign({Assigned("j1", 1), Assigned("j2", 1)});
  const int64_t news = table_.news();
  table_.StopAfterCheckpoint();
  EXPECT_GT(table_.news(), news) << "the coordinator should hear of it at once";
  EXPECT_EQ(Reconcile(), "");
  EXPECT_EQ(table_.assignment(key_)->stop(), STOP_AFTER_CHECKPOINT);
  EXPECT_EQ(Statuses()[1].phase(), RANK_PHASE_STOPPED) << "it had nothing to save";
  EXPECT_FALSE(table_.Idle());
  table_.Assign({Assigned("j1", 1), Assigned("j3", 1)});  // a reply that had not heard of it
  EXPECT_EQ(table_.assignment(key_)->stop(), STOP_AFTER_CHECKPOINT);
  EXPECT_EQ(Watch(absl::Seconds(20)), "forget j2-g1-r0\n");
  EXPECT_TRUE(Reports(Says("j1", 1, 0, RANK_PHASE_STOPPED, 6)));
  table_.Ended(key_, ExitStatus{0, 0}, "");
  EXPECT_TRUE(table_.Idle());
  EXPECT_EQ(Statuses()[0].phase(), RANK_PHASE_STOPPED);
  EXPECT_EQ(Statuses()[0].message(), "");
}

TEST_F(RankTableTest, AStopNowStaysOneWhileLeaving) {
  StartTraining(5);
  table_.StopAfterCheckpoint();
  table_.Assign({Assigned("j1", 1, 0, STOP_NOW)});
  EXPECT_EQ(Reconcile(), "kill j1-g1-r0\n");
}

TEST_F(RankTableTest, ShutdownKillsWhatRunsAndStartsNothing) {
  StartTraining(5);
  table_.Assign({Assigned("j1", 1), Assigned("j2", 1)});
  table_.Shutdown();
  EXPECT_EQ(Reconcile(), "kill j1-g1-r0\n");
  EXPECT_EQ(Reconcile(), "");
  table_.Ended(key_, ExitStatus{0, SIGKILL}, "");
  EXPECT_EQ(table_.Live(), 0);
  EXPECT_TRUE(table_.Idle());
  EXPECT_EQ(Statuses()[0].phase(), RANK_PHASE_STOPPED) << "no failure of the job";
  EXPECT_EQ(Statuses()[0].message(), "its worker stopped before it had a checkpoint of its last step");
}

TEST_F(RankTableTest, BytesOfALogBecomeText) {
  StartTraining(5);
  table_.Ended(key_, ExitStatus{0, SIGKILL}, "bad sample caf\xe9.jpg\x1b[2J");
  EXPECT_NE(Statuses()[0].message().find("bad sample caf\\xe9.jpg\\x1b[2J"), std::string::npos)
      << Statuses()[0].message();
}

TEST_F(RankTableTest, StrangersAreRefused) {
  EXPECT_FALSE(Reports(Says("j9", 1, 0, RANK_PHASE_TRAINING, 1)));
  StartTraining(5);
  EXPECT_FALSE(Reports(Says("j1", 2, 0, RANK_PHASE_TRAINING, 1)));
  EXPECT_FALSE(Reports(Says("j1", 1, 1, RANK_PHASE_TRAINING, 1)));
}

}  // namespace
}  // namespace mimeo
