// One host of several is broken: it must not eat the queue.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "tests/e2e/cluster.h"

namespace mimeo {
namespace {

using ::testing::HasSubstr;

// Its disk is not mounted there. It comes first in the alphabet and is idle all the time.
TEST(BadHostTest, AHostThatDoesNotSeeTheDataFailsNoJob) {
  if (!LocalCluster::CanHideFolders()) GTEST_SKIP() << "mounting is not permitted here";
  LocalCluster cluster;
  const std::string disk = cluster.dir() + "/disk";
  ASSERT_TRUE(MakeDirs(disk).ok());
  std::filesystem::copy(ExamplePhotos("train"), disk + "/photos", std::filesystem::copy_options::recursive);
  cluster.StartCoordinator();
  cluster.StartWorkerThatDoesNotSee(disk, "bad");
  cluster.StartWorker("good");
  JobSpec spec = TinyJob(1, 5);
  spec.mutable_data()->set_path(disk + "/photos");
  std::vector<std::string> jobs;
  for (int i = 0; i < 5; ++i) jobs.push_back(cluster.Submit(spec));
  int on_bad = 0;
  for (const std::string& id : jobs) {
    const Job job = cluster.AwaitSuccess(id);
    on_bad += job.generation() > 1;
  }
  EXPECT_GE(on_bad, 1) << "the bad host was never tried";
  const std::string workers = cluster.Mimeo({"workers", "-o", "json"});
  EXPECT_THAT(workers, HasSubstr("blame"));
  EXPECT_THAT(workers, HasSubstr("data.path"));
}

// A job that has read its data comes to a host that does not have them. It waits there as in an outage, but not for
// ever: another host has room. Nothing is computed twice, and no restart is counted.
TEST(BadHostTest, AGangThatWaitsForItsDataMovesToAHostThatHasThem) {
  if (!LocalCluster::CanHideFolders()) GTEST_SKIP() << "mounting is not permitted here";
  LocalCluster cluster;
  const std::string disk = cluster.dir() + "/disk";
  ASSERT_TRUE(MakeDirs(disk).ok());
  std::filesystem::copy(ExamplePhotos("train"), disk + "/photos", std::filesystem::copy_options::recursive);
  cluster.StartCoordinator({"--data_patience=1s"});
  cluster.StartWorker("good");
  JobSpec spec = TinyJob(1, 60);
  spec.mutable_data()->set_path(disk + "/photos");
  const std::string id = cluster.Submit(spec);
  cluster.Await(id, "the fifth step", [](const Job& job) { return job.step() >= 5; });
  cluster.StartWorkerThatDoesNotSee(disk, "bad");
  cluster.Mimeo({"drain", "good"});
  const auto waits_there = [](const Job& job) {
    return job.ranks_size() == 1 && job.worker_ids_size() == 1 && job.worker_ids(0) == "bad" &&
           job.ranks(0).waits_for_data();
  };
  const Job stuck = cluster.Await(id, "waiting for data on the bad host", waits_there);
  EXPECT_THAT(cluster.Mimeo({"explain", id}), HasSubstr("bad has not seen its data for "));
  cluster.Mimeo({"undrain", "good"});
  const Job done = cluster.AwaitSuccess(id);
  EXPECT_EQ(done.generation(), stuck.generation() + 1);
  const auto steps = cluster.Steps(id);
  EXPECT_EQ(steps.size(), 60u);
  EXPECT_EQ(steps.rbegin()->second.generation(), done.generation());
  const std::string workers = cluster.Mimeo({"workers", "-o", "json"});
  EXPECT_THAT(workers, HasSubstr("does not see what it waits for: data "));
}

// A path that no host sees is the job's mistake: another host is asked, and then it is refused, within seconds.
TEST(BadHostTest, AMistypedPathIsRefusedWithinSecondsOnAnyNumberOfHosts) {
  LocalCluster cluster;
  cluster.StartCoordinator();
  cluster.StartWorker("w0");
  JobSpec spec = TinyJob(1, 5);
  spec.mutable_data()->set_path(cluster.dir() + "/fotos");
  for (const char* const worker : {"w1", "w2"}) {
    const std::string id = cluster.Submit(spec);
    const Job failed = cluster.Await(id, "failed", [](const Job& job) { return job.state() == JOB_STATE_FAILED; });
    EXPECT_LE(failed.generation(), 2);
    EXPECT_THAT(failed.reason(), HasSubstr("data.path"));
    cluster.StartWorker(worker);
  }
}

}  // namespace
}  // namespace mimeo
