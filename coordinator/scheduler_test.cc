#include "coordinator/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/random_key.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const absl::Time kStart = absl::FromUnixSeconds(1000);

// A cluster that commits what is decided, on a time of its own.
class Simulation {
 public:
  Simulation() { liveness_.since = now_; }

  absl::Status Commit(const Event& event) {
    const absl::Status legal = state_.Check(event);
    if (legal.ok()) state_.Apply(event);
    return legal;
  }
  void AddWorker(const std::string& id, int slots) {
    Event event;
    WorkerIdentity* worker = event.mutable_worker_registered()->mutable_worker();
    worker->set_id(id);
    worker->set_incarnation("1");
    worker->set_slots(slots);
    ASSERT_TRUE(Commit(event).ok());
    Hear(id);
  }
  std::string Submit(int num_ranks, int priority = 0) {
    Event event;
    JobSubmitted* submitted = event.mutable_job_submitted();
    submitted->set_job_id(state_.NextJobId());
    submitted->set_request_id(submitted->job_id());
    submitted->mutable_spec()->mutable_resources()->set_num_ranks(num_ranks);
    submitted->mutable_spec()->mutable_resources()->set_priority(priority);
    submitted->mutable_spec()->mutable_resources()->set_max_restarts(3);
    submitted->mutable_spec()->mutable_checkpoint()->set_keep_last(2);
    EXPECT_TRUE(Commit(event).ok());
    return submitted->job_id();
  }
  void End(const std::string& job_id, GangEnd end) {
    Event event;
    event.mutable_gang_ended()->set_job_id(job_id);
    event.mutable_gang_ended()->set_generation(state_.jobs().at(job_id).generation);
    event.mutable_gang_ended()->set_end(end);
    ASSERT_TRUE(Commit(event).ok());
  }
  void Want(const std::string& job_id, mimeo::Want want) {
    Event event;
    event.mutable_job_controlled()->set_job_id(job_id);
    event.mutable_job_controlled()->set_want(want);
    ASSERT_TRUE(Commit(event).ok());
  }
  void CommitCheckpoint(const std::string& job_id, int64_t step) {
    Event event;
    CheckpointManifest* manifest = event.mutable_checkpoint_committed()->mutable_manifest();
    manifest->set_job_id(job_id);
    manifest->set_generation(state_.jobs().at(job_id).generation);
    manifest->set_step(step);
    ASSERT_TRUE(Commit(event).ok());
  }
  void Hear(const std::string& worker) { liveness_.worker_heard[worker] = now_; }
  void Advance(absl::Duration by) { now_ += by; }

  Decision DecideNow() const { return Decide(state_, liveness_, now_, options_); }
  // Until nothing more is decided; every event must be legal when its turn comes.
  void Settle() {
    for (int round = 0; round < 5; ++round) {
      const Decision decision = DecideNow();
      if (decision.events.empty()) return;
      for (const Event& event : decision.events) {
        const absl::Status legal = Commit(event);
        ASSERT_TRUE(legal.ok()) << legal << " " << event.ShortDebugString();
      }
    }
    ADD_FAILURE() << "decisions without end";
  }

  const ClusterState& state() const { return state_; }
  const JobInfo& job(const std::string& id) const { return state_.jobs().at(id); }
  absl::Duration Silence(const std::string& worker) const {
    return SilentFor(liveness_.worker_heard, worker, liveness_.since, now_);
  }
  std::vector<std::string> ExplainNow(const std::string& id) const {
    return Explain(state_, liveness_, now_, options_, id);
  }

 private:
  ClusterState state_;
  Liveness liveness_;
  absl::Time now_ = kStart;
  SchedulerOptions options_;
};

TEST(SchedulerTest, DecidingTwiceDecidesTheSame) {
  Simulation cluster;
  cluster.AddWorker("w0", 2);
  cluster.Submit(2);
  cluster.Submit(1);
  const Decision first = cluster.DecideNow();
  const Decision second = cluster.DecideNow();
  ASSERT_EQ(first.events.size(), 1u);
  ASSERT_EQ(second.events.size(), 1u);
  EXPECT_EQ(first.events[0].SerializeAsString(), second.events[0].SerializeAsString());
  EXPECT_EQ(first.reasons, second.reasons);
}

TEST(SchedulerTest, SilenceIsMeasuredFromWhenThisCoordinatorBeganToListen) {
  const std::map<std::string, absl::Time> heard = {{"w0", kStart - absl::Hours(1)}, {"w1", kStart + absl::Seconds(5)}};
  const absl::Time now = kStart + absl::Seconds(7);
  EXPECT_EQ(SilentFor(heard, "w0", kStart, now), absl::Seconds(7));
  EXPECT_EQ(SilentFor(heard, "w1", kStart, now), absl::Seconds(2));
  EXPECT_EQ(SilentFor(heard, "never", kStart, now), absl::Seconds(7));
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
  EXPECT_TRUE(cluster.DecideNow().events.empty());
  cluster.Advance(absl::Milliseconds(1));
  const Decision decision = cluster.DecideNow();
  ASSERT_EQ(decision.events.size(), 2u);
  EXPECT_EQ(decision.events[0].gang_ended().end(), GANG_END_REPLACED);
  EXPECT_THAT(decision.events[1].gang_placed().worker_ids(), ElementsAre("w1"));
  EXPECT_EQ(decision.events[1].gang_placed().generation(), 2);
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
  EXPECT_THAT(cluster.DecideNow().reasons.at(low), HasSubstr("keeps generation 1: waits behind j3"));
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
  EXPECT_EQ(cluster.ExplainNow(id).at(0), "needs 3 slots on workers; free: w0 0 of 2 (j1 holds 2), w1 1 of 2 (j2 holds 1)");
  EXPECT_TRUE(cluster.ExplainNow("j9").empty());
}

TEST(SchedulerTest, ReasonsNameAtMostEightWorkers) {
  Simulation cluster;
  for (int i = 0; i < 20; ++i) cluster.AddWorker(absl::StrCat("w", i), 1);
  const std::string id = cluster.Submit(21);
  EXPECT_THAT(cluster.ExplainNow(id).at(0), HasSubstr(", 12 more; too few"));
}

// What must hold whatever happened.
void ExpectInvariants(const Simulation& cluster) {
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
  const Decision decision = cluster.DecideNow();
  for (const JobInfo* job : queue) {
    const bool for_slots = decision.reasons.at(job->id).find("needs") == 0 &&
                           decision.reasons.at(job->id).find("even when all are idle") == std::string::npos &&
                           decision.reasons.at(job->id).find("are heard of") == std::string::npos;
    if (for_slots) {
      EXPECT_EQ(waits, nullptr) << job->id << " and " << waits->id << " both stand foremost";
      waits = job;
    }
  }
}

// Random histories: submissions, failures, silences, pauses. Every decision is legal, nothing loops, nobody overtakes, slots
// are never given twice, silence alone never ends a gang, and generations only grow.
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
      if (what == 1 && !some.empty()) cluster.End(some, below(2) == 0 ? GANG_END_COMPLETED : GANG_END_FAILED);
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
