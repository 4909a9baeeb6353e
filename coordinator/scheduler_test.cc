#include "coordinator/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/random_key.h"
#include "coordinator/testing/simulation.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using testing::kStart;
using testing::Simulation;

TEST(SchedulerTest, DecidingTwiceDecidesTheSame) {
  Simulation cluster;
  cluster.AddWorker("w0", 2);
  cluster.Submit(2);
  cluster.Submit(1);
  const std::vector<Event> first = cluster.DecideNow();
  const std::vector<Event> second = cluster.DecideNow();
  ASSERT_EQ(first.size(), 1u);
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(first[0].SerializeAsString(), second[0].SerializeAsString());
}

TEST(SchedulerTest, SilenceIsMeasuredFromWhenThisCoordinatorBeganToListen) {
  Simulation cluster;
  cluster.AddWorker("w0", 1);
  cluster.AddWorker("w1", 1);
  Scheduler after_a_restart(&cluster.state(), SchedulerOptions());
  after_a_restart.Begin(kStart + absl::Hours(1));
  after_a_restart.HearWorker("w1", kStart + absl::Hours(1) + absl::Seconds(5));
  const absl::Time now = kStart + absl::Hours(1) + absl::Seconds(7);
  EXPECT_EQ(after_a_restart.WorkerSilence("w0", now), absl::Seconds(7));
  EXPECT_EQ(after_a_restart.WorkerSilence("w1", now), absl::Seconds(2));
  EXPECT_FALSE(after_a_restart.IsOffered("w0", now)) << "it was not heard by this coordinator";
  EXPECT_TRUE(after_a_restart.IsOffered("w1", now));
  EXPECT_EQ(after_a_restart.WorkerSilence("nobody", now), absl::ZeroDuration());
}

// Ten thousand workers whose alarms ring at once would hold up the call that happens to decide next.
TEST(SchedulerTest, WorkersThatBeatAreNeverLookedAtForTheirSilence) {
  for (const absl::Duration period : {absl::Milliseconds(700), absl::Seconds(1), absl::Milliseconds(1499)}) {
    Simulation cluster;
    for (const char* id : {"w0", "w1", "w2"}) cluster.AddWorker(id, 1);
    for (int beat = 0; beat < 100; ++beat) {
      cluster.Advance(period);
      EXPECT_EQ(cluster.scheduler().WorkersDueForTest(cluster.now()), 0u) << beat << " of " << period;
      for (const char* id : {"w0", "w1", "w2"}) cluster.Hear(id);
    }
    cluster.Advance(absl::Seconds(2));
    cluster.Hear("w1");
    cluster.Advance(absl::Milliseconds(1001));
    EXPECT_EQ(cluster.scheduler().WorkersDueForTest(cluster.now()), 2u) << "those that missed three beats";
    EXPECT_TRUE(cluster.DecideNow().empty());
    EXPECT_FALSE(cluster.scheduler().IsOffered("w0", cluster.now()));
    EXPECT_TRUE(cluster.scheduler().IsOffered("w1", cluster.now()));
    cluster.Submit(1);
    cluster.Settle();
    EXPECT_EQ(cluster.state().SlotsBusy("w1"), 1);
  }
}

// The lease is a minute: at exactly a minute nobody is silent yet.
TEST(SchedulerTest, AGangIsReplacedOnlyAfterTheLeaseAndOnlyElsewhere) {
  Simulation cluster;
  cluster.AddWorker("w0", 1);
  const std::string id = cluster.Submit(1);
  cluster.Settle();
  cluster.AddWorker("w1", 1);
  cluster.Advance(absl::Seconds(60));
  cluster.Hear("w1");
  EXPECT_TRUE(cluster.DecideNow().empty());
  cluster.Advance(absl::Milliseconds(1));
  const std::vector<Event> events = cluster.DecideNow();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].gang_ended().end(), GANG_END_REPLACED);
  EXPECT_THAT(events[1].gang_placed().worker_ids(), ElementsAre("w1"));
  EXPECT_EQ(events[1].gang_placed().generation(), 2);
}

// Half of the gang is alive: its slots there count as free for the replacement.
TEST(SchedulerTest, AReplacementMayReuseTheSlotsOfItsOwnGang) {
  Simulation cluster;
  cluster.AddWorker("w0", 1);
  cluster.AddWorker("w1", 1);
  const std::string id = cluster.Submit(2);
  cluster.Settle();
  cluster.Advance(absl::Seconds(61));
  cluster.Hear("w1");
  cluster.AddWorker("w2", 1);
  cluster.Settle();
  EXPECT_THAT(cluster.job(id).placement, ElementsAre("w1", "w2"));
  EXPECT_EQ(cluster.job(id).generation, 2);
  EXPECT_EQ(cluster.state().SlotsBusy("w0"), 0);
}

// A lost gang does not jump the queue either.
TEST(SchedulerTest, AReplacementWaitsBehindAWaitingJobOfHigherPriority) {
  Simulation cluster;
  cluster.AddWorker("w0", 1);
  const std::string low = cluster.Submit(1);
  cluster.Settle();
  cluster.AddWorker("w1", 2);
  const std::string busy = cluster.Submit(1);
  cluster.Settle();
  const std::string high = cluster.Submit(2, 5);
  cluster.Advance(absl::Seconds(61));
  cluster.Hear("w1");
  cluster.Settle();
  EXPECT_EQ(cluster.job(low).generation, 1);
  EXPECT_THAT(cluster.ExplainNow(low).at(0), HasSubstr("keeps generation 1: waits behind j3"));
  cluster.End(busy, GANG_END_COMPLETED);
  cluster.Settle();
  EXPECT_EQ(cluster.job(high).state, JOB_STATE_RUNNING);
}

TEST(SchedulerTest, ExplainHasNumbers) {
  Simulation cluster;
  cluster.AddWorker("w0", 2);
  cluster.AddWorker("w1", 2);
  cluster.Submit(2);
  cluster.Submit(1);
  cluster.Settle();
  const std::string id = cluster.Submit(3);
  EXPECT_EQ(cluster.ExplainNow(id).at(0),
            "needs 3 slots on workers; free: w0 0 of 2 (j1 holds 2), w1 1 of 2 (j2 holds 1)");
  EXPECT_TRUE(cluster.ExplainNow("j9").empty());
}

TEST(SchedulerTest, ReasonsNameAtMostEightWorkers) {
  Simulation cluster;
  for (int i = 0; i < 20; ++i) cluster.AddWorker(absl::StrCat("w", i), 1);
  const std::string id = cluster.Submit(21);
  EXPECT_THAT(cluster.ExplainNow(id).at(0), HasSubstr(", 12 more; too few"));
}

// What must hold whatever happened.
void ExpectInvariants(Simulation& cluster) {
  std::map<std::string, int> held;
  const JobInfo* waits = nullptr;  // the one that stands foremost in the queue and waits for slots
  std::vector<const JobInfo*> queue;
  for (const auto& [id, job] : cluster.state().jobs()) {
    for (const std::string& worker : job.placement) ++held[worker];
    EXPECT_EQ(job.placement.empty(), job.state != JOB_STATE_RUNNING) << id;
    if (!job.placement.empty()) {
      EXPECT_EQ(job.placement.size(), static_cast<size_t>(job.spec.resources().num_ranks())) << id;
    }
    EXPECT_LE(job.checkpoint_steps.size(), 2u) << id << " keeps too many checkpoints";
    if (job.state == JOB_STATE_PENDING) queue.push_back(&job);
  }
  for (const auto& [id, worker] : cluster.state().workers()) EXPECT_LE(held[id], worker.identity.slots()) << id;
  EXPECT_TRUE(cluster.DecideNow().empty());
  int free = 0;
  for (const auto& [id, worker] : cluster.state().workers()) {
    const bool taken =
        cluster.scheduler().IsOffered(id, cluster.now()) && cluster.scheduler().blame().Of(id, cluster.now()) == 0;
    if (taken) free += worker.identity.slots() - held[id];
  }
  for (const JobInfo* job : queue) {
    const std::string reason = cluster.ExplainNow(job->id).at(0);
    const bool for_slots = reason.find("needs") == 0 && reason.find("even when all are idle") == std::string::npos &&
                           reason.find("are heard of") == std::string::npos;
    if (!for_slots) continue;
    EXPECT_EQ(waits, nullptr) << job->id << " and " << waits->id << " both stand foremost";
    EXPECT_LT(free, job->spec.resources().num_ranks()) << job->id << " would fit: " << reason;
    waits = job;
  }
}

// Random histories: submissions, failures, silences, pauses. Every decision is legal, nothing loops, nobody overtakes,
// slots are never given twice, silence alone never ends a gang, and generations only grow.
TEST(SchedulerTest, InvariantsHoldInRandomHistories) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    const RandomKey key(seed);
    uint64_t counter = 0;
    const auto below = [&](int64_t bound) { return key.Below(bound, counter++); };
    Simulation cluster;
    for (int i = 0; i < 4; ++i) cluster.AddWorker(absl::StrCat("w", i), 1 + static_cast<int>(below(3)));
    for (int step = 0; step < 60; ++step) {
      std::map<std::string, int64_t> generations;
      std::vector<std::string> running;
      for (const auto& [id, job] : cluster.state().jobs()) {
        generations[id] = job.generation;
        if (job.state == JOB_STATE_RUNNING) running.push_back(id);
      }
      const int64_t what = below(6);
      const std::string some = running.empty() ? "" : running[below(running.size())];
      if (what == 0) cluster.Submit(1 + static_cast<int>(below(4)), static_cast<int>(below(2)));
      if (what == 1 && !some.empty() && below(2) == 0)
        cluster.End(some, GANG_END_COMPLETED);
      else if (what == 1 && !some.empty()) {
        cluster.Fail(some, absl::StatusCode::kInternal, below(2) == 0);
      }
      if (what == 2) cluster.Advance(absl::Seconds(below(50)));
      if (what == 3) cluster.Hear(absl::StrCat("w", below(4)));
      if (what == 4 && !some.empty()) cluster.CommitCheckpoint(some, step + 1);
      if (what == 5 && !some.empty() && below(3) == 0) cluster.Want(some, WANT_CANCEL);
      cluster.Settle();
      ExpectInvariants(cluster);
      for (const auto& [id, generation] : generations) {
        EXPECT_GE(cluster.job(id).generation, generation) << id;
        const bool time_or_news = what == 2 || what == 3;
        if (time_or_news && std::count(running.begin(), running.end(), id) > 0) {
          EXPECT_EQ(cluster.job(id).state, JOB_STATE_RUNNING) << id << " was stopped by silence";
        }
      }
      if (HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace mimeo
