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
