// A rank that trains for long holds no more memory than one that has trained a little.
#include <gtest/gtest.h>

#include <cstdint>
#include <map>

#include "tests/e2e/cluster.h"

namespace mimeo {
namespace {

constexpr int64_t kSettled = 20, kSteps = 80;
// A rank once grew by 330 MB in 40 such steps: about as much as their gradients.
constexpr int64_t kGrowthMost = 60 << 20;

TEST(MemoryGrowthTest, StepsOfSeveralMicroBatchesLeaveNothingBehind) {
  LocalCluster cluster;
  cluster.StartCoordinator();
  cluster.StartWorker("w0");
  JobSpec spec = TinyJob(/*ranks=*/1, kSteps);
  spec.mutable_data()->set_image_px(48);
  spec.mutable_data()->set_global_batch(64);
  VitSpec* const vit = spec.mutable_encoder()->mutable_vit();
  vit->set_width(192);
  vit->set_depth(6);
  vit->set_heads(3);
  ReconstructionSpec* const pixels = spec.mutable_objective(0)->mutable_reconstruction();
  pixels->set_decoder_width(96);
  pixels->set_decoder_heads(3);
  spec.mutable_resources()->set_micro_batch(8);
  spec.mutable_resources()->set_threads_per_rank(2);
  spec.mutable_checkpoint()->set_every_steps(0);
  const std::string job_id = cluster.Submit(spec);
  cluster.AwaitSuccess(job_id);
  const std::map<int64_t, StepMetrics> steps = cluster.Steps(job_id);
  const int64_t early = steps.at(kSettled).utilization().peak_memory_bytes();
  const int64_t late = steps.at(kSteps).utilization().peak_memory_bytes();
  EXPECT_GT(early, 0);
  EXPECT_LT(late - early, kGrowthMost) << early << " bytes at step " << kSettled << ", " << late << " at step "
                                       << kSteps;
}

}  // namespace
}  // namespace mimeo
