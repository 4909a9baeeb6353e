// What a job survives: its rank, its coordinator, its teacher and everything at once, each killed with SIGKILL.
#include <gtest/gtest.h>
#include <signal.h>

#include <set>

#include "absl/strings/str_cat.h"
#include "tests/e2e/cluster.h"

namespace mimeo {
namespace {

std::set<int64_t> RankPids(const Job& job) {
  std::set<int64_t> pids;
  for (const RankStatus& rank : job.ranks()) pids.insert(rank.pid());
  return pids;
}

void ExpectEveryStep(const std::map<int64_t, StepMetrics>& steps, int64_t total) {
  ASSERT_EQ(static_cast<int64_t>(steps.size()), total);
  EXPECT_EQ(steps.begin()->first, 1);
  EXPECT_EQ(steps.rbegin()->first, total);
}

TEST(RecoveryTest, AKilledRankCostsTheStepsSinceTheLastCheckpointAndTheJobFinishes) {
  LocalCluster cluster;
  cluster.StartCoordinator();
  cluster.StartWorker("w0");
  cluster.StartWorker("w1");
  const std::string id = cluster.Submit(TinyJob(2, 60));
  const Job before = cluster.Await(id, "a checkpoint and a few steps more", [](const Job& job) {
    return job.checkpoint_step() >= 10 && job.step() > job.checkpoint_step() + 1 && job.ranks_size() == 2;
  });
  ASSERT_LT(before.step(), 60);
  ASSERT_EQ(kill(static_cast<pid_t>(before.ranks(1).pid()), SIGKILL), 0);
  const Job after = cluster.AwaitSuccess(id);
  EXPECT_EQ(after.generation(), before.generation() + 1);
  const auto steps = cluster.Steps(id);
  ExpectEveryStep(steps, 60);
  EXPECT_EQ(steps.at(before.checkpoint_step()).generation(), before.generation()) << "done once, not again";
  EXPECT_EQ(steps.at(60).generation(), after.generation());
}

TEST(RecoveryTest, ACoordinatorAwayForLongerThanTheLeaseStopsNothingAndLosesNothing) {
  LocalCluster cluster(absl::Seconds(2));
  cluster.StartCoordinator();
  cluster.StartWorker("w0");
  cluster.StartWorker("w1");
  JobSpec spec = TinyJob(2, 150);
  const std::string id = cluster.Submit(spec);
  const Job before = cluster.Await(id, "the tenth step", [](const Job& job) {
    return job.step() >= 10 && job.ranks_size() == 2 && job.checkpoint_step() >= 10;
  });
  cluster.Kill("coordinator");
  cluster.ExpectAliveFor("w0", absl::Seconds(3));
  cluster.StartCoordinator();
  const Job heard = cluster.Await(id, "both ranks heard again", [&](const Job& job) {
    return job.ranks_size() == 2 && job.step() > before.step() && job.checkpoint_step() > before.checkpoint_step();
  });
  EXPECT_EQ(heard.generation(), before.generation());
  EXPECT_EQ(heard.state(), JOB_STATE_RUNNING) << "it was over before anything could be seen";
  EXPECT_EQ(RankPids(heard), RankPids(before));
  const Job after = cluster.AwaitSuccess(id);
  EXPECT_EQ(after.generation(), before.generation()) << "the gang was replaced";
  const auto steps = cluster.Steps(id);
  ExpectEveryStep(steps, 150);
  for (const auto& [step, metrics] : steps) EXPECT_EQ(metrics.generation(), before.generation()) << step;
  EXPECT_EQ(after.checkpoint_step(), 150);
}

TEST(RecoveryTest, AKilledTeacherIsWaitedForAndTrainingGoesOn) {
  LocalCluster cluster;
  cluster.StartCoordinator();
  cluster.StartWorker("w0");
  const std::string teacher_job = cluster.Submit(TinyJob(1, 2));
  cluster.AwaitSuccess(teacher_job);
  const std::string weights = cluster.dir() + "/weights";
  cluster.Mimeo({"export", teacher_job, "--to", "hf", "--out", weights});
  cluster.StartTeacher("frozen", weights);
  JobSpec spec = TinyJob(1, 60);
  AddMimic("frozen", &spec);
  const std::string id = cluster.Submit(spec);
  const Job before = cluster.Await(id, "the fifth step", [](const Job& job) { return job.step() >= 5; });
  cluster.Kill("frozen");
  const Job waiting = cluster.Await(id, "waiting for the teacher", [](const Job& job) {
    return job.ranks_size() == 1 && job.ranks(0).waiting_for().find("frozen") != std::string::npos;
  });
  EXPECT_LT(waiting.step(), 60);
  cluster.StartTeacher("frozen", weights);
  const Job after = cluster.AwaitSuccess(id);
  EXPECT_EQ(after.generation(), before.generation()) << "the wait was taken for a hang";
  const auto steps = cluster.Steps(id);
  ExpectEveryStep(steps, 60);
  for (const auto& [step, metrics] : steps) EXPECT_EQ(metrics.terms().count("mimic"), 1u) << step;
}

TEST(TeachersTest, OneDrawsTheMasksOfTwoRanksAndTwoAreMimicked) {
  LocalCluster cluster;
  cluster.StartCoordinator();
  cluster.StartWorker("w0", 2);
  const std::string teacher_job = cluster.Submit(TinyJob(1, 2));
  cluster.AwaitSuccess(teacher_job);
  const std::string weights = cluster.dir() + "/weights";
  cluster.Mimeo({"export", teacher_job, "--to", "hf", "--out", weights});
  cluster.StartTeacher("one", weights);
  cluster.StartTeacher("two", weights);
  JobSpec spec = TinyJob(2, 6);
  spec.mutable_mask()->mutable_focused()->set_teacher("one");
  AddMimic("one", &spec);
  AddMimic("two", &spec);
  ObjectiveSpec* block = spec.mutable_objective(spec.objective_size() - 1);
  block->set_name("block");
  block->mutable_mimic()->set_teacher_layer(1);
  block->mutable_mimic()->set_class_token(true);
  const std::string id = cluster.Submit(spec);
  cluster.AwaitSuccess(id);
  const auto steps = cluster.Steps(id);
  ExpectEveryStep(steps, 6);
  for (const auto& [step, metrics] : steps) {
    EXPECT_EQ(metrics.terms().count("mimic"), 1u) << step;
    EXPECT_EQ(metrics.terms().count("block"), 1u) << step;
  }
}

// The losses of a run that was killed as a whole and resumed are those of a run that was not, to the last bit.
void ExpectAResumeIsBitEqual(int ranks, const JobSpec& spec) {
  LocalCluster undisturbed;
  undisturbed.StartCoordinator();
  undisturbed.StartWorker("w0", ranks);
  const std::string id = undisturbed.Submit(spec);
  undisturbed.AwaitSuccess(id);
  const auto expected = undisturbed.Steps(id);
  undisturbed.KillAll();

  LocalCluster disturbed;
  disturbed.StartCoordinator();
  disturbed.StartWorker("w0", ranks);
  const std::string again = disturbed.Submit(spec);
  const Job before = disturbed.Await(again, "a checkpoint", [](const Job& job) { return job.checkpoint_step() >= 10; });
  disturbed.KillAll();
  ASSERT_LT(before.step(), 40) << "it was over before it could be killed";
  disturbed.StartCoordinator();
  disturbed.StartWorker("w0", ranks);
  const Job after = disturbed.AwaitSuccess(again);
  EXPECT_EQ(after.generation(), before.generation() + 1);
  const auto resumed = disturbed.Steps(again);
  ExpectEveryStep(resumed, 40);
  for (const auto& [step, metrics] : expected) {
    EXPECT_EQ(metrics.loss(), resumed.at(step).loss()) << "step " << step;
    EXPECT_EQ(metrics.grad_norm(), resumed.at(step).grad_norm()) << "step " << step;
  }
  EXPECT_EQ(resumed.at(40).generation(), after.generation());
}

class ResumeTest : public testing::TestWithParam<int> {};

TEST_P(ResumeTest, LossesAfterKillingEverythingAreBitEqual) {
  ExpectAResumeIsBitEqual(GetParam(), TinyJob(GetParam(), 40));
}

INSTANTIATE_TEST_SUITE_P(Ranks, ResumeTest, testing::Values(1, 2, 3));

// Two ranks that gather each other's rows, with batch statistics, dropped paths, targets of averaged heads and a
// running mean, and prototypes that thaw at some step after the first checkpoint.
TEST(ResumeContrastTest, LossesAfterKillingEverythingAreBitEqual) {
  JobSpec spec = TinyJob(2, 40);
  AddContrast(&spec);
  spec.mutable_encoder()->mutable_vit()->set_drop_path(0.2);
  spec.mutable_ema()->set_decay(0.9);
  SelfDistillationSpec* dino = spec.add_objective()->mutable_self_distillation();
  dino->add_hidden_width(16), dino->set_bottleneck_width(8), dino->set_num_prototypes(32);
  dino->set_frozen_prototypes(0.6);
  ExpectAResumeIsBitEqual(2, spec);
}

// A new generation takes its first steps plainly and records again: at which step it does must not show.
TEST(ResumeRecordedTest, LossesAfterKillingEverythingAreBitEqual) {
  JobSpec spec = TinyJob(1, 40);
  spec.mutable_encoder()->mutable_vit()->set_drop_path(0.2);
  spec.mutable_ema()->set_decay(0.9);
  spec.mutable_resources()->set_cuda_graph(true);
  ExpectAResumeIsBitEqual(1, spec);
}

}  // namespace
}  // namespace mimeo
