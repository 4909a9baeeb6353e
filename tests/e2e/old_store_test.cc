// Jobs that an earlier version (04ab777) had accepted are finished by this one's processes.
#include <gtest/gtest.h>

#include "absl/time/time.h"
#include "base/clock.h"
#include "base/subprocess.h"
#include "tests/e2e/cluster.h"

namespace mimeo {
namespace {

TEST(OldStoreTest, JobsOfAnEarlierVersionGoOnToTheirEnd) {
  LocalCluster cluster;
  Subprocess::Options options;
  options.argv = {"/usr/bin/tar", "xJf", "coordinator/testdata/store_04ab777.tar.xz", "-C", cluster.dir()};
  const auto tar = Subprocess::Start(options);
  ASSERT_TRUE(tar.ok()) << tar.status();
  ASSERT_TRUE((*tar)->Wait(Clock::Real()->Now() + absl::Seconds(30)).ok());
  cluster.StartCoordinator();
  cluster.StartWorker("host1");
  cluster.StartWorker("host2");
  const Job running = cluster.AwaitSuccess("j5");
  EXPECT_EQ(running.step(), 600);
  EXPECT_EQ(running.generation(), 2);
  cluster.Mimeo({"resume", "j4"});
  EXPECT_EQ(cluster.AwaitSuccess("j4").step(), 600);
  EXPECT_EQ(cluster.Steps("j4").size(), 600u) << "those of both versions";
  cluster.StartWorker("host3", 2);
  EXPECT_EQ(cluster.AwaitSuccess("j6").step(), 20);
  EXPECT_NE(cluster.Mimeo({"checkpoints", "j1"}).find("40"), std::string::npos);
}

}  // namespace
}  // namespace mimeo
