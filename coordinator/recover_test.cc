// What a coordinator makes of a journal that another version wrote.
#include <gtest/gtest.h>

#include <memory>

#include "base/clock.h"
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

}  // namespace
}  // namespace mimeo
