// Gangs that leave a host which does not see their data.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "coordinator/testing/simulation.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Simulation;

WorkerFailure Unseen(const std::string& worker) {
  WorkerFailure failure;
  failure.set_worker_id(worker);
  failure.set_status_code(static_cast<int>(absl::StatusCode::kUnavailable));
  failure.set_message("does not see what it waits for: data /photos");
  return failure;
}

// Its gang waits for its data on the first of its workers from now on.
void Misses(Simulation* cluster, const std::string& id) {
  const JobInfo& job = cluster->job(id);
  cluster->scheduler().HearDataWait(job, {cluster->now(), {Unseen(job.placement.front())}});
}

// As the coordinator does when all its ranks have stopped.
void EndMove(Simulation* cluster, const Scheduler::Move& move) {
  Event event;
  GangEnded* ended = event.mutable_gang_ended();
  ended->set_job_id(move.job_id);
  ended->set_generation(cluster->job(move.job_id).generation);
  ended->set_end(GANG_END_STOPPED);
  ended->mutable_failures()->Add(move.from.begin(), move.from.end());
  ASSERT_TRUE(cluster->Commit(event).ok());
  cluster->Settle();
}

// Seconds until the gang moves, and does; -1 when it does not within eight minutes.
int SecondsToMove(Simulation* cluster, const std::string& id, const std::vector<std::string>& workers) {
  for (int second = 0; second < 480; ++second) {
    for (const Scheduler::Move& move : cluster->scheduler().DecideMoves(cluster->now())) {
      EXPECT_EQ(move.job_id, id);
      EndMove(cluster, move);
      return second;
    }
    cluster->Beat(1, workers);
  }
  return -1;
}

TEST(SchedulerMovesTest, AfterThePatienceItMovesToAWorkerThatHasRoomAndNoRestartIsCounted) {
  Simulation cluster;
  cluster.AddWorker("a", 1);
  cluster.AddWorker("b", 1);
  const std::string id = cluster.Submit(1);
  cluster.Settle();
  ASSERT_THAT(cluster.job(id).placement, ElementsAre("a"));
  Misses(&cluster, id);
  cluster.Beat(10, {"a", "b"});
  EXPECT_EQ(cluster.ExplainNow(id).at(0),
            "generation 1 runs on a; a has not seen its data for 10s; it moves in 50s if others have room");
  EXPECT_EQ(SecondsToMove(&cluster, id, {"a", "b"}), 50);
  EXPECT_THAT(cluster.job(id).placement, ElementsAre("b"));
  EXPECT_EQ(cluster.job(id).failures_in_a_row, 0);
  EXPECT_GT(cluster.scheduler().blame().Of("a", cluster.now()), 0.9);
  EXPECT_THAT(cluster.scheduler().WorkerNote("a", cluster.now()),
              HasSubstr("does not see what it waits for: data /photos"));
}

TEST(SchedulerMovesTest, WhereNobodyHasRoomOrMayBeTakenItGoesOnWaiting) {
  Simulation cluster;
  cluster.AddWorker("a", 1);
  const std::string id = cluster.Submit(1);
  cluster.Settle();
  Misses(&cluster, id);
  EXPECT_EQ(SecondsToMove(&cluster, id, {"a"}), -1) << "there is nobody else";
  cluster.AddWorker("b", 1);
  const std::string other = cluster.Submit(1);
  cluster.Settle();
  EXPECT_EQ(SecondsToMove(&cluster, id, {"a", "b"}), -1) << "b is busy";
  EXPECT_THAT(cluster.ExplainNow(id).at(0),
              HasSubstr("; it stays: needs 1 slot on workers; free: a 0 of 1 (j1 holds 1), b 0 of 1 (j2 holds 1)"));
  cluster.End(other, GANG_END_COMPLETED);
  cluster.Drain("b", true);
  EXPECT_EQ(SecondsToMove(&cluster, id, {"a", "b"}), -1) << "b is drained";
  cluster.Beat(5, {"a"});
  cluster.Drain("b", false);
  EXPECT_EQ(SecondsToMove(&cluster, id, {"a"}), -1) << "b is silent";
  cluster.Hear("b");
  EXPECT_LE(SecondsToMove(&cluster, id, {"a", "b"}), 8);
  EXPECT_THAT(cluster.job(id).placement, ElementsAre("b"));
}

TEST(SchedulerMovesTest, DataThatAreSeenAgainAndAGangThatPausesEndTheWait) {
  Simulation cluster;
  cluster.AddWorker("a", 1);
  cluster.AddWorker("b", 1);
  const std::string id = cluster.Submit(1);
  cluster.Settle();
  Misses(&cluster, id);
  cluster.Beat(59, {"a", "b"});
  cluster.scheduler().HearDataWait(cluster.job(id), {});
  EXPECT_EQ(SecondsToMove(&cluster, id, {"a", "b"}), -1);
  Misses(&cluster, id);
  cluster.Want(id, WANT_PAUSE);
  EXPECT_EQ(SecondsToMove(&cluster, id, {"a", "b"}), -1);
}

// An outage of the storage: no host sees the data.
TEST(SchedulerMovesTest, TwoHostsThatBothLackThemSeeItEverMoreSeldomAndAreNotBlamed) {
  Simulation cluster;
  cluster.AddWorker("a", 1);
  cluster.AddWorker("b", 1);
  const std::string id = cluster.Submit(1);
  cluster.Settle();
  std::vector<int> seconds;
  std::vector<std::string> places;
  for (int move = 0; move < 8; ++move) {
    Misses(&cluster, id);
    seconds.push_back(SecondsToMove(&cluster, id, {"a", "b"}));
    places.push_back(cluster.job(id).placement.front());
    EXPECT_EQ(cluster.scheduler().blame().Of("b", cluster.now()), 0);
  }
  EXPECT_THAT(seconds, ElementsAre(60, 68, 76, 92, 124, 188, 316, 360));
  EXPECT_THAT(places, ElementsAre("b", "a", "b", "a", "b", "a", "b", "a"));
  EXPECT_EQ(cluster.scheduler().blame().Of("a", cluster.now()), 0);
  cluster.CommitCheckpoint(id, 10);
  Misses(&cluster, id);
  EXPECT_EQ(SecondsToMove(&cluster, id, {"a", "b"}), 60) << "it got on";
}

TEST(SchedulerMovesTest, AThirdHostIsTriedBeforeTheFirstIsTriedAgain) {
  Simulation cluster;
  for (const char* const id : {"a", "b", "c"}) cluster.AddWorker(id, 1);
  const std::string id = cluster.Submit(1);
  cluster.Settle();
  std::vector<std::string> places;
  for (int move = 0; move < 4; ++move) {
    Misses(&cluster, id);
    SecondsToMove(&cluster, id, {"a", "b", "c"});
    places.push_back(cluster.job(id).placement.front());
  }
  EXPECT_THAT(places, ElementsAre("b", "c", "a", "b"));
}

// Two gangs and one free slot: it is promised once, and not given to whoever comes meanwhile.
TEST(SchedulerMovesTest, ASlotIsKeptForTheGangThatMovesToIt) {
  Simulation cluster;
  cluster.AddWorker("a", 2);
  const std::string first = cluster.Submit(1), second = cluster.Submit(1);
  cluster.Settle();
  cluster.AddWorker("b", 1);
  Misses(&cluster, first);
  Misses(&cluster, second);
  cluster.Beat(60, {"a", "b"});
  const std::vector<Scheduler::Move> moves = cluster.scheduler().DecideMoves(cluster.now());
  ASSERT_EQ(moves.size(), 1u);
  EXPECT_THAT(cluster.ExplainNow(first).at(0),
              HasSubstr("runs on a, until its checkpoint: it moves, for a has not seen its data for 1m"));
  const std::string third = cluster.Submit(1);
  cluster.Beat(9, {"a", "b"});
  EXPECT_TRUE(cluster.scheduler().DecideMoves(cluster.now()).empty());
  EXPECT_EQ(cluster.job(third).state, JOB_STATE_PENDING);
  EXPECT_THAT(cluster.ExplainNow(third).at(0), HasSubstr("b 1 of 1 (1 kept for j1)"));
  EndMove(&cluster, moves[0]);
  EXPECT_THAT(cluster.job(first).placement, ElementsAre("b"));
  cluster.Beat(8, {"a", "b"});
  EXPECT_THAT(cluster.job(third).placement, ElementsAre("a"))
      << "that it waits there for j1's data says nothing of j3's";
}

// Only one of two hosts lacks them: the ranks on the other may stay where they are.
TEST(SchedulerMovesTest, TheGangsOwnSlotsOnOtherWorkersCountAsRoom) {
  Simulation cluster;
  for (const char* const id : {"a", "b", "c"}) cluster.AddWorker(id, 1);
  const std::string id = cluster.Submit(2);
  cluster.Settle();
  ASSERT_THAT(cluster.job(id).placement, ElementsAre("a", "b"));
  Misses(&cluster, id);
  EXPECT_EQ(SecondsToMove(&cluster, id, {"a", "b", "c"}), 60);
  EXPECT_THAT(cluster.job(id).placement, ElementsAre("b", "c"));
}

TEST(SchedulerMovesTest, ARestartOfTheCoordinatorKnowsWhereTheyWereNotSeen) {
  Simulation cluster;
  cluster.AddWorker("a", 1);
  cluster.AddWorker("b", 1);
  const std::string id = cluster.Submit(1);
  cluster.Settle();
  Misses(&cluster, id);
  ASSERT_EQ(SecondsToMove(&cluster, id, {"a", "b"}), 60);
  Scheduler again(&cluster.state(), SchedulerOptions());
  again.Begin(cluster.now());
  EXPECT_GT(again.blame().Of("a", cluster.now()), 0.9);
}

}  // namespace
}  // namespace mimeo
