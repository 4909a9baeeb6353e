#include "worker/rank_table.h"

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
  const char* const names[] = {"start", "terminate", "kill", "forget"};
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
  // The same, while the process reports every second.
  std::string WatchReporting(absl::Duration by, const RankStatus& status) {
    std::string text;
    for (absl::Duration passed; passed < by; passed += absl::Seconds(1)) {
      Advance(absl::Seconds(1));
      EXPECT_TRUE(table_.Reported(status, now_));
      text += Reconcile();
    }
    return text;
  }
  // Rank 0 of j1, generation 1, trains and has done `step` steps.
  void StartTraining(int64_t step) {
    table_.Assign({Assigned("j1", 1)});
    EXPECT_EQ(Reconcile(), "start j1-g1-r0\n");
    table_.Started(key_, 71, now_);
    EXPECT_TRUE(table_.Reported(Says("j1", 1, 0, RANK_PHASE_TRAINING, step), now_));
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
  const auto statuses = table_.Statuses();
  ASSERT_EQ(statuses.size(), 2u);
  EXPECT_EQ(statuses[1].pid(), 72);
  EXPECT_EQ(statuses[1].phase(), RANK_PHASE_STARTING);
}

TEST_F(RankTableTest, SilenceOfTheCoordinatorStopsNothing) {
  StartTraining(1);
  for (int step = 2; step < 500; ++step) {
    Advance(absl::Seconds(1));
    EXPECT_TRUE(table_.Reported(Says("j1", 1, 0, RANK_PHASE_TRAINING, step), now_));
    EXPECT_EQ(Reconcile(), "");
  }
  EXPECT_EQ(table_.Live(), 1);
}

TEST_F(RankTableTest, KillsWhatIsNotNamedAndForgetsItOnceItIsGone) {
  StartTraining(5);
  table_.Assign({});
  EXPECT_EQ(Reconcile(), "kill j1-g1-r0\n");
  EXPECT_EQ(Reconcile(), "") << "once";
  EXPECT_EQ(table_.Statuses().size(), 1u) << "it still holds its slot";
  table_.Ended(key_, ExitStatus{0, SIGKILL}, "");
  EXPECT_EQ(Reconcile(), "forget j1-g1-r0\n");
  EXPECT_TRUE(table_.Statuses().empty());
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
    const auto statuses = table_.Statuses();
    ASSERT_EQ(statuses.size(), 1u);
    EXPECT_EQ(statuses[0].phase(), RANK_PHASE_FAILED);
    EXPECT_EQ(statuses[0].status_code(), static_cast<int>(absl::StatusCode::kUnavailable));
    EXPECT_NE(statuses[0].message().find("was killed by SIGKILL (9)"), std::string::npos) << statuses[0].message();
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
  EXPECT_EQ(table_.Statuses()[0].status_code(), static_cast<int>(absl::StatusCode::kInternal));
  EXPECT_EQ(table_.Statuses()[0].message(), "exited with code 3; its log ends: terminate called");
}

TEST_F(RankTableTest, TheRanksOwnErrorStandsAndAppearsOnlyOnceTheProcessIsGone) {
  StartTraining(5);
  RankStatus failed = Says("j1", 1, 0, RANK_PHASE_FAILED, 5);
  failed.set_status_code(static_cast<int>(absl::StatusCode::kDataLoss));
  failed.set_message("101 bad samples");
  EXPECT_TRUE(table_.Reported(failed, now_));
  EXPECT_EQ(table_.Statuses()[0].phase(), RANK_PHASE_TRAINING);
  table_.Ended(key_, ExitStatus{1, 0}, "log");
  EXPECT_EQ(table_.Statuses()[0].phase(), RANK_PHASE_FAILED);
  EXPECT_EQ(table_.Statuses()[0].message(), "101 bad samples");
  EXPECT_EQ(table_.Statuses()[0].pid(), 71);
  EXPECT_FALSE(table_.Reported(failed, now_)) << "a process that is gone does not speak";
}

TEST_F(RankTableTest, ARankThatIsDoneButDoesNotExitIsKilledAndCountsAsDone) {
  StartTraining(5);
  EXPECT_TRUE(table_.Reported(Says("j1", 1, 0, RANK_PHASE_COMPLETED, 9), now_));
  EXPECT_EQ(Watch(absl::Seconds(9)), "");
  EXPECT_EQ(Watch(absl::Seconds(2)), "kill j1-g1-r0\n");
  table_.Ended(key_, ExitStatus{0, SIGKILL}, "");
  EXPECT_EQ(table_.Statuses()[0].phase(), RANK_PHASE_COMPLETED);
  EXPECT_EQ(table_.Statuses()[0].step(), 9);
}

TEST_F(RankTableTest, StopNowTerminatesThenKillsAfterTheGrace) {
  StartTraining(5);
  table_.Assign({Assigned("j1", 1, 0, STOP_NOW)});
  EXPECT_EQ(Reconcile(), "terminate j1-g1-r0\n");
  EXPECT_EQ(Watch(absl::Seconds(9)), "");
  EXPECT_EQ(Watch(absl::Seconds(1)), "kill j1-g1-r0\n");
  table_.Ended(key_, ExitStatus{0, SIGKILL}, "");
  EXPECT_EQ(table_.Statuses()[0].phase(), RANK_PHASE_STOPPED);
}

TEST_F(RankTableTest, StopAfterCheckpointIsTheRanksToDo) {
  StartTraining(5);
  table_.Assign({Assigned("j1", 1, 0, STOP_AFTER_CHECKPOINT)});
  EXPECT_EQ(Reconcile(), "");
  EXPECT_EQ(table_.assignment(key_)->stop(), STOP_AFTER_CHECKPOINT);
}

TEST_F(RankTableTest, ARankThatIsToStopBeforeItStartedNeverStarts) {
  table_.Assign({Assigned("j1", 1, 0, STOP_AFTER_CHECKPOINT), Assigned("j1", 1, 1, STOP_NOW)});
  EXPECT_EQ(Reconcile(), "");
  ASSERT_EQ(table_.Statuses().size(), 2u);
  EXPECT_EQ(table_.Statuses()[0].phase(), RANK_PHASE_STOPPED);
  EXPECT_EQ(table_.Statuses()[1].phase(), RANK_PHASE_STOPPED);
}

TEST_F(RankTableTest, ARankThatCannotBeStartedHasFailed) {
  table_.Assign({Assigned("j1", 1)});
  Reconcile();
  table_.NotStarted(key_, absl::NotFoundError("no binary"));
  EXPECT_EQ(Reconcile(), "");
  EXPECT_EQ(table_.Statuses()[0].phase(), RANK_PHASE_FAILED);
  EXPECT_EQ(table_.Statuses()[0].message(), "no binary");
}

TEST_F(RankTableTest, NoStepForAMinuteIsAHang) {
  StartTraining(5);
  const RankStatus stuck = Says("j1", 1, 0, RANK_PHASE_TRAINING, 5);
  EXPECT_EQ(WatchReporting(absl::Seconds(60), stuck), "");
  EXPECT_EQ(WatchReporting(absl::Seconds(1), stuck), "kill j1-g1-r0\n");
  table_.Ended(key_, ExitStatus{0, SIGKILL}, "");
  const RankStatus status = table_.Statuses()[0];
  EXPECT_EQ(status.phase(), RANK_PHASE_FAILED);
  EXPECT_EQ(status.status_code(), static_cast<int>(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(status.message().find("hang: no step after step 5 for 1m1s"), 0u) << status.message();
}

TEST_F(RankTableTest, SlowStepsBuyPatience) {
  StartTraining(5);
  EXPECT_EQ(WatchReporting(absl::Seconds(9), Says("j1", 1, 0, RANK_PHASE_TRAINING, 5)), "");
  EXPECT_EQ(WatchReporting(absl::Seconds(1), Says("j1", 1, 0, RANK_PHASE_TRAINING, 6)), "");  // 10 s a step
  const RankStatus stuck = Says("j1", 1, 0, RANK_PHASE_TRAINING, 6);
  EXPECT_EQ(WatchReporting(absl::Seconds(200), stuck), "");
  EXPECT_EQ(WatchReporting(absl::Seconds(1), stuck), "kill j1-g1-r0\n");
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
    EXPECT_TRUE(table_.Reported(waits, now_));
    EXPECT_TRUE(table_.Reported(blocked, now_));
    EXPECT_EQ(Reconcile(), "");
  }
  EXPECT_EQ(table_.Statuses()[0].waiting_for(), "teacher frozen");
  // The wait was no step: it must not count as one that takes 1000 s.
  EXPECT_TRUE(table_.Reported(Says("j1", 1, 1, RANK_PHASE_TRAINING, 6), now_));
  EXPECT_TRUE(table_.Reported(Says("j1", 1, 0, RANK_PHASE_TRAINING, 6), now_));
  std::string done;
  for (int second = 0; second < 61; ++second) {
    Advance(absl::Seconds(1));
    table_.Reported(Says("j1", 1, 0, RANK_PHASE_TRAINING, 6), now_);
    table_.Reported(Says("j1", 1, 1, RANK_PHASE_TRAINING, 6), now_);
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

TEST_F(RankTableTest, AProcessThatSaysNothingAtAllIsHungInAnyPhase) {
  table_.Assign({Assigned("j1", 1)});
  Reconcile();
  table_.Started(key_, 71, now_);
  EXPECT_EQ(Watch(absl::Seconds(60)), "");
  EXPECT_EQ(Watch(absl::Seconds(1)), "kill j1-g1-r0\n");
}

TEST_F(RankTableTest, JoiningMayTakeLong) {
  table_.Assign({Assigned("j1", 1)});
  Reconcile();
  table_.Started(key_, 71, now_);
  EXPECT_EQ(WatchReporting(absl::Minutes(10), Says("j1", 1, 0, RANK_PHASE_JOINING, 0)), "");
}

TEST_F(RankTableTest, TheAgentsOwnSleepIsNobodysHang) {
  StartTraining(5);
  Advance(absl::Hours(8));
  EXPECT_EQ(Reconcile(), "");
  EXPECT_EQ(WatchReporting(absl::Seconds(60), Says("j1", 1, 0, RANK_PHASE_TRAINING, 5)), "");
  EXPECT_EQ(WatchReporting(absl::Seconds(1), Says("j1", 1, 0, RANK_PHASE_TRAINING, 5)), "kill j1-g1-r0\n");
}

TEST_F(RankTableTest, ShutdownTerminatesWhatRunsAndStartsNothing) {
  StartTraining(5);
  table_.Assign({Assigned("j1", 1), Assigned("j2", 1)});
  table_.Shutdown();
  EXPECT_EQ(Reconcile(), "terminate j1-g1-r0\n");
  EXPECT_EQ(Watch(absl::Seconds(10)), "kill j1-g1-r0\n");
  table_.Ended(key_, ExitStatus{0, SIGTERM}, "");
  EXPECT_EQ(table_.Live(), 0);
  EXPECT_EQ(table_.Statuses()[0].phase(), RANK_PHASE_FAILED) << "nobody asked the job to stop";
}

TEST_F(RankTableTest, StrangersAreRefused) {
  EXPECT_FALSE(table_.Reported(Says("j9", 1, 0, RANK_PHASE_TRAINING, 1), now_));
  StartTraining(5);
  EXPECT_FALSE(table_.Reported(Says("j1", 2, 0, RANK_PHASE_TRAINING, 1), now_));
  EXPECT_FALSE(table_.Reported(Says("j1", 1, 1, RANK_PHASE_TRAINING, 1), now_));
}

}  // namespace
}  // namespace mimeo
