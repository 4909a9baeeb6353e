// What a worker's agent survives, sees and does well: bytes that are no text in a rank's log, ranks that stand still,
// and being told to stop.
#include <gtest/gtest.h>
#include <signal.h>

#include <functional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/subprocess.h"
#include "base/wait.h"
#include "tests/e2e/cluster.h"

namespace mimeo {
namespace {

// Looks again and again, for at most half a minute.
bool Soon(const std::function<bool()>& holds) {
  const absl::Time deadline = Clock::Real()->Now() + absl::Seconds(30);
  while (!holds() && Clock::Real()->Now() < deadline) WaitFor(absl::Milliseconds(5));
  return holds();
}

bool LogSays(const LocalCluster& cluster, const std::string& rank, const std::string& what) {
  const auto log = ReadFile(absl::StrCat(cluster.dir(), "/w0/ranks/", rank, ".log"));
  return log.ok() && absl::StrContains(*log, what);
}

// A folder of the example photos, and a broken one whose name is not UTF-8.
std::string PhotosWithAnOddOne(const std::string& dir) {
  const std::string photos = dir + "/photos";
  EXPECT_TRUE(MakeDirs(photos).ok());
  Subprocess::Options untar;
  untar.argv = {"/bin/tar", "xf", ExamplePhotos("train") + "/clothing-000.tar", "-C", photos};
  auto child = Subprocess::Start(untar);
  EXPECT_TRUE(child.ok()) << child.status();
  const auto ended = (*child)->Wait(Clock::Real()->Now() + absl::Seconds(30));
  EXPECT_TRUE(ended.ok() && ended->ok());
  EXPECT_TRUE(WriteFileAtomic(photos + "/caf\xe9.jpg", "no JPEG").ok());
  return photos;
}

TEST(AgentFaultsTest, ABadSampleOfAnOddNameInTheLogOfADeadRankCostsNoHeartbeat) {
  LocalCluster cluster;
  cluster.StartCoordinator();
  cluster.StartWorker("w0");
  JobSpec spec = TinyJob(1, 1000);
  spec.mutable_data()->set_path(PhotosWithAnOddOne(cluster.dir()));
  const std::string id = cluster.Submit(spec);
  const Job before =
      cluster.Await(id, "the first step", [](const Job& job) { return job.step() >= 1 && job.ranks_size() == 1; });
  ASSERT_TRUE(Soon([&] { return LogSays(cluster, absl::StrCat(id, "-g1-r0"), "caf"); }))
      << "the bad sample was not met";
  ASSERT_EQ(kill(static_cast<pid_t>(before.ranks(0).pid()), SIGKILL), 0);
  const Job after = cluster.Await(id, "the next generation's first step", [](const Job& job) {
    return job.generation() == 2 && job.ranks_size() == 1 && job.ranks(0).step() >= 1;
  });
  EXPECT_EQ(after.state(), JOB_STATE_RUNNING);
}

// The process stands still as a whole, as in a dead mount: the next one is started in its place.
TEST(AgentFaultsTest, ARankThatFallsSilentIsKilledAfterThePatience) {
  LocalCluster cluster;
  cluster.StartCoordinator();
  cluster.StartWorker("w0", 1, {"--patience=2s"});
  const std::string id = cluster.Submit(TinyJob(1, 100000));
  const Job before =
      cluster.Await(id, "the first step", [](const Job& job) { return job.step() >= 1 && job.ranks_size() == 1; });
  ASSERT_EQ(kill(static_cast<pid_t>(before.ranks(0).pid()), SIGSTOP), 0);
  cluster.Await(id, "the next generation's first step", [](const Job& job) {
    return job.generation() == 2 && job.ranks_size() == 1 && job.ranks(0).step() >= 1;
  });
}

// A worker is told to stop, again and again, while another one is free: not a step is lost, nothing is counted as a
// failure (the job allows none), and the other worker has the job at once (the lease would take a minute).
TEST(AgentFaultsTest, AWorkerThatIsToldToStopHandsItsJobOverWithEveryStep) {
  LocalCluster cluster;
  cluster.StartCoordinator();
  cluster.StartWorker("w0");
  JobSpec spec = TinyJob(1, 100000);
  spec.mutable_checkpoint()->set_every_steps(100000);
  spec.mutable_resources()->set_max_restarts(0);
  const std::string id = cluster.Submit(spec);
  int64_t last = 0;
  for (int generation = 1; generation <= 3; ++generation) {
    const std::string worker = absl::StrCat("w", generation - 1);
    cluster.Await(id, absl::StrCat("steps on ", worker), [&](const Job& job) {
      return job.generation() == generation && job.step() > last + 3 && job.worker_ids_size() == 1 &&
             job.worker_ids(0) == worker;
    });
    cluster.StartWorker(absl::StrCat("w", generation));
    const absl::Time begin = Clock::Real()->Now();
    cluster.Stop(worker);
    const Job moved = cluster.Await(id, "the next worker's first step", [&](const Job& job) {
      return job.generation() == generation + 1 && job.ranks_size() == 1 && job.ranks(0).step() > job.checkpoint_step();
    });
    EXPECT_LT(Clock::Real()->Now() - begin, absl::Seconds(30)) << "it waited for the lease";
    last = moved.checkpoint_step();
    EXPECT_GT(last, 0);
    // Of the step that was the last: the next generation did the very next one, and no step twice.
    const auto steps = cluster.Steps(id);
    EXPECT_EQ(steps.at(last).generation(), generation);
    ASSERT_EQ(steps.count(last + 1), 1u);
    EXPECT_EQ(steps.at(last + 1).generation(), generation + 1);
  }
}

// A supervisor that tells every process of a host to stop (systemd does) tells the ranks too.
TEST(AgentFaultsTest, ARankThatIsToldToStopTogetherWithItsAgentSavesItsWork) {
  LocalCluster cluster;
  cluster.StartCoordinator();
  cluster.StartWorker("w0");
  JobSpec spec = TinyJob(1, 100000);
  spec.mutable_checkpoint()->set_every_steps(100000);
  const std::string id = cluster.Submit(spec);
  const Job before = cluster.Await(id, "steps", [](const Job& job) { return job.step() > 3 && job.ranks_size() == 1; });
  ASSERT_EQ(kill(static_cast<pid_t>(before.ranks(0).pid()), SIGTERM), 0);
  cluster.Stop("w0");
  const Job after = cluster.Await(id, "its checkpoint", [](const Job& job) { return job.checkpoint_step() > 0; });
  EXPECT_EQ(after.checkpoint_step(), cluster.Steps(id).rbegin()->first);
}

}  // namespace
}  // namespace mimeo
