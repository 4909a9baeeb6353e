#include "job/cost.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "job/job_shape.h"
#include "job/job_spec.h"

namespace mimeo {
namespace {

JobSpec Recipe(const std::string& name, const std::vector<std::string>& sets = {}) {
  const std::string path = absl::StrCat("recipes/", name, ".textproto");
  JobSpec spec = ParseRecipe(ReadFile(path).value(), path).value();
  spec.mutable_data()->set_path("photos");
  for (const std::string& set : sets) EXPECT_OK(SetField(set, &spec));
  return ResolveJobSpec(spec).value();
}

double Millions(int64_t count) { return static_cast<double>(count) / 1e6; }

// Of the encoders in the papers and the released files: MAE's (facebookresearch/mae: ViT-B 85.8, L 303.3, H 630.8
// without a head), DINO's ViT-S 21.7 with learned positions (21 in arXiv 2104.14294, table 1).
TEST(CostTest, EncodersHaveThePublishedParameters) {
  EXPECT_NEAR(Millions(CountParameters(Recipe("mae_b"), {}).encoder), 85.65, 0.01);  // and 0.15 of fixed positions
  EXPECT_NEAR(Millions(CountParameters(Recipe("mae_l"), {}).encoder), 303.1, 0.1);
  EXPECT_NEAR(Millions(CountParameters(Recipe("mae_h"), {}).encoder), 630.4, 0.1);
  EXPECT_NEAR(Millions(CountParameters(Recipe("dino_s"), {}).encoder), 21.67, 0.01);
  EXPECT_NEAR(Millions(CountParameters(Recipe("mae_b"), {}).heads), 26.01, 0.01) << "MAE's decoder: 111.7 with ViT-B";
}

TEST(CostTest, WhatIsFrozenOrAveragedIsCounted) {
  const ParameterCounts simclr = CountParameters(Recipe("simclr_b"), {});
  EXPECT_EQ(simclr.frozen, 768 * 3 * 16 * 16 + 768) << "the patch embedding";
  EXPECT_EQ(simclr.averaged, 0);
  const ParameterCounts moco = CountParameters(Recipe("moco_v3_b"), {});
  EXPECT_GT(moco.averaged, moco.encoder);
  EXPECT_LT(moco.averaged, moco.total()) << "a predictor has no average";
}

TEST(CostTest, ATeachersWidthMakesTheHeadThatMimicsIt) {
  const JobSpec spec = Recipe("mr_mae_b_clip");
  const int64_t narrow = CountParameters(spec, {{"mimic", 512}}).total();
  EXPECT_EQ(CountParameters(spec, {}).total() - narrow, (768 - 512) * (768 + 1));
}

TEST(CostTest, ACheckpointHoldsTheWeightsTwoMomentsAndTheAverage) {
  const JobSpec plain = Recipe("mae_b"), averaged = Recipe("mae_b", {"ema.decay=0.99"});
  const int64_t bytes = CheckpointBytes(plain, {}, 100, 1000);
  EXPECT_NEAR(static_cast<double>(bytes), 12.0 * static_cast<double>(CountParameters(plain, {}).total()), 1e6);
  EXPECT_NEAR(static_cast<double>(CheckpointBytes(averaged, {}, 100, 1000) - bytes),
              4.0 * static_cast<double>(CountParameters(averaged, {}).averaged), 1e6);
}

TEST(CostTest, MemoryGrowsWithTheMicroBatchAndShrinksWithRecomputing) {
  const auto activations = [](const std::vector<std::string>& sets) {
    return EstimateRankMemory(Recipe("mae_b", sets), 8, DEVICE_CPU, 0, {}).activations;
  };
  const int64_t at_16 = activations({"resources.micro_batch=16"});
  EXPECT_NEAR(static_cast<double>(activations({"resources.micro_batch=32"})), 2.0 * static_cast<double>(at_16), 2);
  EXPECT_LT(activations({"resources.micro_batch=16", "resources.activation_checkpointing=true"}), at_16 / 3);
  EXPECT_LT(activations({"resources.micro_batch=16", "resources.precision=PRECISION_BF16"}), 3 * at_16 / 4);
}

// Beside the steps it comes on top; at the end it takes the place of what a step holds.
TEST(CostTest, ACheckpointsCopyIsHeldBesideTheSteps) {
  RankMemory memory;
  memory.process = 100, memory.activations = 50, memory.checkpoint = 20;
  EXPECT_EQ(memory.Peak(), 170);
  EXPECT_EQ(memory.Peak(200), 220);
  memory.checkpoint_beside_steps = false;
  EXPECT_EQ(memory.Peak(), 150);
  memory.checkpoint = 80;
  EXPECT_EQ(memory.Peak(), 180);
}

TEST(CostTest, ABackwardPassMakesGradientsWhileItGivesUpActivations) {
  RankMemory memory;
  memory.process = 100, memory.activations = 50, memory.gradients = 60;
  EXPECT_EQ(memory.steps(), 210);
  memory.gradients_beside_activations = false;
  EXPECT_EQ(memory.steps(), 160);
  const auto beside = [](const std::vector<std::string>& sets, int ranks) {
    return EstimateRankMemory(Recipe("mae_b", sets), ranks, DEVICE_CPU, 0, {}).gradients_beside_activations;
  };
  EXPECT_FALSE(beside({"data.global_batch=64", "resources.num_ranks=1"}, 1));
  EXPECT_TRUE(beside({"data.global_batch=128", "resources.num_ranks=1"}, 1)) << "two micro-batches of 64";
  EXPECT_TRUE(beside({"data.global_batch=64", "resources.micro_batch=8"}, 8));
}

// Real runs of 04ab777 on one rank, the steps' peak in MiB (docs/plan.md): what the estimate's constants were chosen
// by.
TEST(CostTest, EstimatesAreNearWhatRunsTook) {
  const auto steps = [](const std::string& recipe, const std::vector<std::string>& sets) {
    std::vector<std::string> all = {"resources.num_ranks=1", "checkpoint.every_steps=0"};
    all.insert(all.end(), sets.begin(), sets.end());
    return static_cast<double>(EstimateRankMemory(Recipe(recipe, all), 1, DEVICE_CPU, 3, {}).steps() >> 20);
  };
  const auto small = [](int batch, int micro_batch, int px) -> std::vector<std::string> {
    return {absl::StrCat("data.global_batch=", batch), absl::StrCat("resources.micro_batch=", micro_batch),
            absl::StrCat("data.image_px=", px)};
  };
  EXPECT_NEAR(steps("quickstart_mae", {}), 307, 307 * 0.15);
  EXPECT_NEAR(steps("mae_s", small(32, 16, 128)), 1675, 1675 * 0.15);
  EXPECT_NEAR(steps("mae_s", small(32, 32, 128)), 1872, 1872 * 0.15);
  EXPECT_NEAR(steps("mae_s", small(2, 2, 32)), 1036, 1036 * 0.15);
  EXPECT_NEAR(steps("mae_b", small(2, 2, 32)), 2112, 2112 * 0.15);
}

TEST(CostTest, TheLargestMicroBatchIsTheLargestThatFits) {
  const JobSpec spec = Recipe("mae_b", {"resources.micro_batch=512", "data.global_batch=4096"});
  const auto needs = [](int64_t micro_batch) {
    const JobSpec smaller = Recipe("mae_b", {absl::StrCat("resources.micro_batch=", micro_batch)});
    return EstimateRankMemory(smaller, 8, DEVICE_CPU, 0, {}).Peak();
  };
  EXPECT_EQ(LargestMicroBatch(spec, 8, DEVICE_CPU, 0, {}, needs(64), 1), 64);
  EXPECT_EQ(LargestMicroBatch(spec, 8, DEVICE_CPU, 0, {}, needs(64) - 1, 1), 32);
  EXPECT_EQ(LargestMicroBatch(spec, 8, DEVICE_CPU, 0, {}, 1, 1), 0);
}

}  // namespace
}  // namespace mimeo
