// What a coordinator makes of a journal that another version wrote.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/build_info.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/metrics_server.h"
#include "base/testing/status_matchers.h"
#include "coordinator/coordinator.h"
#include "coordinator/coordinator_metrics.h"
#include "coordinator/testing/cluster_script.h"
#include "store/journal.h"
#include "store/rocksdb_store.h"

namespace mimeo {
namespace {

absl::StatusOr<Job> RecoverJob(KeyValueStore* store) {
  Metrics exported(MetricOwner::kCoordinator);
  CoordinatorMetrics metrics(&exported);
  CoordinatorCore core(store, Clock::Real(), &metrics, SchedulerOptions());
  const absl::Status recovered = core.Recover();
  if (!recovered.ok()) return recovered;
  absl::StatusOr<Job> job = core.GetJob("j1");
  core.Close();
  return job;
}

void Append(const JobSpec& spec, KeyValueStore* store) {
  Journal journal(store);
  ASSERT_OK(journal.Replay([](const Event&) { return absl::OkStatus(); }));
  Event event;
  event.mutable_job_submitted()->set_job_id("j1");
  event.mutable_job_submitted()->set_request_id("first");
  *event.mutable_job_submitted()->mutable_spec() = spec;
  ASSERT_OK(journal.Append(event));
}

TEST(RecoverTest, AJobOfAnEarlierVersionHasTheDefaultsOfFieldsThatCameLater) {
  const std::unique_ptr<KeyValueStore> store = *OpenRocksDbStore({"earlier", true});
  JobSpec spec = testing::ScriptJob(1);
  spec.mutable_encoder()->mutable_vit()->clear_mlp_ratio();  // as if it were new
  Append(spec, store.get());
  ASSERT_OK_AND_ASSIGN(const Job job, RecoverJob(store.get()));
  EXPECT_EQ(job.spec().encoder().vit().mlp_ratio(), 4);
}

TEST(RecoverTest, AJobThatThisVersionWouldRefuseStays) {
  const std::unique_ptr<KeyValueStore> store = *OpenRocksDbStore({"refused", true});
  JobSpec spec = testing::ScriptJob(1);
  spec.mutable_data()->set_global_batch(-1);
  Append(spec, store.get());
  ASSERT_OK_AND_ASSIGN(const Job job, RecoverJob(store.get()));
  EXPECT_EQ(job.spec().data().global_batch(), -1);
}

std::vector<Event> EventsBeyondTodaysLimits() {
  std::vector<Event> events(7);
  JobSubmitted* submitted = events[0].mutable_job_submitted();
  submitted->set_job_id("j1");
  submitted->set_request_id(std::string(limits::kNameBytes + 1, 'r'));
  *submitted->mutable_spec() = testing::ScriptJob(limits::kRanksPerJob + 1);
  submitted->mutable_spec()->set_init_weights(std::string(limits::kSpecBytes + 1, 'w'));
  WorkerIdentity* worker = events[1].mutable_worker_registered()->mutable_worker();
  worker->set_id("a name with spaces, which were once allowed");
  worker->set_incarnation(std::string(limits::kNameBytes + 1, 'i'));
  worker->set_slots(limits::kRanksPerJob + 1);
  GangPlaced* placed = events[2].mutable_gang_placed();
  placed->set_job_id("j1");
  placed->set_generation(1);
  for (int i = 0; i <= limits::kRanksPerJob; ++i) placed->add_worker_ids(worker->id());
  TeacherRegistered* teacher = events[3].mutable_teacher_registered();
  teacher->set_name(std::string(limits::kNameBytes + 1, 't'));
  teacher->set_address(std::string(limits::kReasonBytes + 1, 'a'));
  TeacherPinned* pinned = events[4].mutable_teacher_pinned();
  pinned->set_job_id("j1");
  pinned->mutable_contract()->set_name(teacher->name());
  GangEnded* ended = events[5].mutable_gang_ended();
  ended->set_job_id("j1");
  ended->set_generation(1);
  ended->set_end(GANG_END_FAILED);
  ended->set_reason(std::string(2 * limits::kReasonBytes, 'e'));
  for (int i = 0; i <= limits::kFailuresNamed; ++i) ended->add_failures()->set_worker_id(std::to_string(i));
  events[6].mutable_worker_drained()->set_worker_id(worker->id());
  events[6].mutable_worker_drained()->set_drained(true);
  return events;
}

// What was accepted stays accepted: an event of the journal was within the limits of its day.
TEST(RecoverTest, EventsBeyondTodaysLimitsAreReplayed) {
  const std::unique_ptr<KeyValueStore> store = *OpenRocksDbStore({"limits", true});
  Journal journal(store.get());
  ASSERT_OK(journal.Replay([](const Event&) { return absl::OkStatus(); }));
  ClusterState state;
  int refused = 0;
  for (const Event& event : EventsBeyondTodaysLimits()) {
    ASSERT_OK(journal.Append(event));
    if (!state.Check(event).ok()) ++refused;
    state.Apply(event);
  }
  EXPECT_EQ(refused, 4) << "as new events: the submission, the worker, the teacher and its pin";
  ASSERT_OK_AND_ASSIGN(const Job job, RecoverJob(store.get()));
  EXPECT_EQ(job.generation(), 1);
  EXPECT_EQ(job.spec().resources().num_ranks(), limits::kRanksPerJob + 1);
}

TEST(RecoverTest, MoreCheckpointsJobsAndWorkersThanTodaysLimitsAreReplayed) {
  const std::unique_ptr<KeyValueStore> store = *OpenRocksDbStore({"many", true});
  WriteBatch batch;
  const auto add = [&](const Event& event) {
    batch.puts.push_back({Family::kJournal, OrderedKey(batch.puts.size()), event.SerializeAsString()});
  };
  Event event;
  const JobSpec spec = testing::ScriptJob(1);
  for (int i = 1; i <= limits::kUnfinishedJobs + 1; ++i) {
    event.mutable_job_submitted()->set_job_id("j" + std::to_string(i));
    event.mutable_job_submitted()->set_request_id("r" + std::to_string(i));
    event.mutable_job_submitted()->mutable_spec()->mutable_resources()->set_num_ranks(1);
    if (i == 1) *event.mutable_job_submitted()->mutable_spec() = spec;
    add(event);
    event.Clear();
  }
  for (int i = 0; i <= limits::kWorkers; ++i) {
    event.mutable_worker_registered()->mutable_worker()->set_id("w" + std::to_string(i));
    event.mutable_worker_registered()->mutable_worker()->set_slots(1);
    add(event);
  }
  event.mutable_gang_placed()->set_job_id("j1");
  event.mutable_gang_placed()->set_generation(1);
  event.mutable_gang_placed()->add_worker_ids("w0");
  add(event);
  for (int step = 1; step <= limits::kCheckpointsPerJob + 1; ++step) {
    CheckpointManifest* manifest = event.mutable_checkpoint_committed()->mutable_manifest();
    manifest->set_job_id("j1");
    manifest->set_generation(1);
    manifest->set_step(step);
    add(event);
  }
  ASSERT_OK(store->Write(batch, Durability::kSynced));
  ASSERT_OK_AND_ASSIGN(const Job job, RecoverJob(store.get()));
  EXPECT_EQ(job.checkpoint_step(), limits::kCheckpointsPerJob + 1);
}

// Its agent lives on while the coordinator is upgraded: it is refused with its next word, not only when it starts anew.
TEST(RecoverTest, AWorkerThatRegisteredBeforeBuildsWereNamedIsThereAndIsRefusedWhenItSpeaks) {
  const std::unique_ptr<KeyValueStore> store = *OpenRocksDbStore({"worker", true});
  Journal journal(store.get());
  ASSERT_OK(journal.Replay([](const Event&) { return absl::OkStatus(); }));
  Event event;
  event.mutable_worker_registered()->mutable_worker()->set_id("w0");
  event.mutable_worker_registered()->mutable_worker()->set_incarnation("1");
  event.mutable_worker_registered()->mutable_worker()->set_slots(1);
  ASSERT_OK(journal.Append(event));
  Metrics exported(MetricOwner::kCoordinator);
  CoordinatorMetrics metrics(&exported);
  CoordinatorCore core(store.get(), Clock::Real(), &metrics, SchedulerOptions());
  ASSERT_OK(core.Recover());
  ASSERT_OK_AND_ASSIGN(const ListWorkersReply workers, core.ListWorkers(ListWorkersRequest()));
  EXPECT_EQ(workers.workers_size(), 1);
  HeartbeatRequest request;
  request.set_worker_id("w0");
  request.set_incarnation("1");
  EXPECT_THAT(core.Heartbeat(request),
              testing::StatusIs(absl::StatusCode::kFailedPrecondition, "worker w0 is mimeo of an earlier build"));
  core.Close();
}

// Once, specs had no bound: together they may be larger than a message. The jobs that fit run; the others end, and say
// why.
TEST(RecoverTest, SpecsThatDoNotFitIntoAnOrderDoNotSilenceTheirWorker) {
  const std::unique_ptr<KeyValueStore> store = *OpenRocksDbStore({"large", true});
  Journal journal(store.get());
  ASSERT_OK(journal.Replay([](const Event&) { return absl::OkStatus(); }));
  for (int i = 1; i <= 7; ++i) {
    Event event;
    JobSubmitted* submitted = event.mutable_job_submitted();
    submitted->set_job_id("j" + std::to_string(i));
    submitted->set_request_id(submitted->job_id());
    *submitted->mutable_spec() = testing::ScriptJob(1);
    submitted->mutable_spec()->set_init_weights(std::string(i == 7 ? 10 : 700000, 'w'));
    ASSERT_OK(journal.Append(event));
  }
  Metrics exported(MetricOwner::kCoordinator);
  CoordinatorMetrics metrics(&exported);
  CoordinatorCore core(store.get(), Clock::Real(), &metrics, SchedulerOptions());
  ASSERT_OK(core.Recover());
  WorkerIdentity worker;
  worker.set_id("w0");
  worker.set_incarnation("1");
  worker.set_slots(7);
  *worker.mutable_build() = ThisBuild();
  ASSERT_OK(core.RegisterWorker(worker));
  HeartbeatRequest request;
  request.set_worker_id("w0");
  request.set_incarnation("1");
  ASSERT_OK_AND_ASSIGN(const HeartbeatReply reply, core.Heartbeat(request));
  EXPECT_LT(static_cast<int64_t>(reply.ByteSizeLong()), limits::kMessageBytes);
  EXPECT_EQ(reply.gangs_size(), 6);
  EXPECT_EQ(reply.gangs(0).common().job_id(), "j7") << "one within the bound comes first";
  core.Tick();
  ASSERT_OK_AND_ASSIGN(const Job ended, core.GetJob("j6"));
  EXPECT_EQ(ended.state(), JOB_STATE_FAILED);
  EXPECT_NE(ended.reason().find("bytes; at most 32768, and the orders of w0"), std::string::npos) << ended.reason();
  core.Close();
}

}  // namespace
}  // namespace mimeo
