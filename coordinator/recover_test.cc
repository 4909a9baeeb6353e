// What a coordinator makes of a journal that another version wrote.
#include <gtest/gtest.h>

#include <memory>
#include <string>

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
