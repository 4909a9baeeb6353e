// The scheduler on a state and a time of its own, without a journal: for tests and for the benchmark. One thread.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/cluster_state.h"
#include "coordinator/scheduler.h"

namespace mimeo::testing {

const absl::Time kStart = absl::FromUnixSeconds(1000);

// A cluster that commits what is decided, on a time of its own.
class Simulation {
 public:
  Simulation() { scheduler_.Begin(now_); }

  absl::Status Commit(const Event& event, bool advanced = false) {
    const absl::Status legal = state_.Check(event);
    if (!legal.ok()) return legal;
    state_.Apply(event);
    scheduler_.Applied(event, now_, advanced);
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
  std::string Submit(int num_ranks, int priority = 0, int max_restarts = 4) {
    Event event;
    JobSubmitted* submitted = event.mutable_job_submitted();
    submitted->set_job_id(state_.NextJobId());
    submitted->set_request_id(submitted->job_id());
    submitted->mutable_spec()->mutable_resources()->set_num_ranks(num_ranks);
    submitted->mutable_spec()->mutable_resources()->set_priority(priority);
    submitted->mutable_spec()->mutable_resources()->set_max_restarts(max_restarts);
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
  // The job's gang fails on its first worker.
  void Fail(const std::string& job_id, absl::StatusCode code, bool advanced = false,
            const std::string& message = "data.path: it broke") {
    const JobInfo& failed = state_.jobs().at(job_id);
    Event event;
    GangEnded* ended = event.mutable_gang_ended();
    ended->set_job_id(job_id);
    ended->set_generation(failed.generation);
    ended->set_end(GANG_END_FAILED);
    ended->set_status_code(static_cast<int>(code));
    ended->set_reason(message);
    WorkerFailure* failure = ended->add_failures();
    failure->set_worker_id(failed.placement.front());
    failure->set_status_code(ended->status_code());
    failure->set_message(message);
    ASSERT_TRUE(Commit(event, advanced).ok());
  }
  // Time passes in seconds, with all these workers beating.
  void Beat(int seconds, const std::vector<std::string>& workers) {
    for (int i = 0; i < seconds; ++i) {
      Advance(absl::Seconds(1));
      for (const std::string& id : workers) Hear(id);
      Settle();
    }
  }
  void Drain(const std::string& worker, bool drained) {
    Event event;
    event.mutable_worker_drained()->set_worker_id(worker);
    event.mutable_worker_drained()->set_drained(drained);
    ASSERT_TRUE(Commit(event).ok());
  }
  void PinData(const std::string& job_id) {
    Event event;
    event.mutable_dataset_pinned()->set_job_id(job_id);
    event.mutable_dataset_pinned()->set_digest("d1");
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
  void Hear(const std::string& worker) {
    if (state_.workers().count(worker) > 0) scheduler_.HearWorker(worker, now_);
  }
  void Advance(absl::Duration by) { now_ += by; }

  std::vector<Event> DecideNow() { return scheduler_.Decide(now_); }
  // Until nothing more is decided; every event must be legal when its turn comes.
  void Settle() {
    for (int round = 0; round < 1000; ++round) {
      const std::vector<Event> events = DecideNow();
      if (events.empty()) return;
      for (const Event& event : events) {
        const absl::Status legal = Commit(event);
        ASSERT_TRUE(legal.ok()) << legal << " " << event.ShortDebugString();
      }
    }
    ADD_FAILURE() << "decisions without end";
  }

  const ClusterState& state() const { return state_; }
  const JobInfo& job(const std::string& id) const { return state_.jobs().at(id); }
  Scheduler& scheduler() { return scheduler_; }
  absl::Time now() const { return now_; }
  std::vector<std::string> ExplainNow(const std::string& id) const { return scheduler_.Explain(id, now_); }

 private:
  ClusterState state_;
  absl::Time now_ = kStart;
  Scheduler scheduler_{&state_, SchedulerOptions()};
};

}  // namespace mimeo::testing
