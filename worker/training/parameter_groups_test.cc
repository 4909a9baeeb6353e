#include "worker/training/parameter_groups.h"

#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <vector>

#include "job/model_tensors.h"
#include "model/encoder.h"
#include "model/testing/vit_spec.h"

namespace mimeo {
namespace {

// As facebookresearch/mae's util/lr_decay.py computes them: ViT-B with layer decay 0.65, ViT-L with 0.75.
TEST(RateScaleTest, IsMaesLayerDecay) {
  EXPECT_NEAR(RateScale("encoder.cls_token", 12, 0.65), 0.00369721, 1e-8);
  EXPECT_NEAR(RateScale("encoder.pos_embed", 12, 0.65), 0.00369721, 1e-8);
  EXPECT_NEAR(RateScale("encoder.patch_embed.proj.weight", 12, 0.65), 0.00369721, 1e-8);
  EXPECT_NEAR(RateScale("encoder.blocks.0.attn.qkv.weight", 12, 0.65), 0.00568801, 1e-8);
  EXPECT_NEAR(RateScale("encoder.blocks.9.norm1.bias", 12, 0.65), 0.274625, 1e-8);
  EXPECT_NEAR(RateScale("encoder.blocks.11.norm1.bias", 12, 0.65), 0.65, 1e-12);
  EXPECT_EQ(RateScale("encoder.norm.weight", 12, 0.65), 1);
  EXPECT_EQ(RateScale("objective.class.head.weight", 12, 0.65), 1);
  EXPECT_NEAR(RateScale("encoder.cls_token", 24, 0.75), 0.00075254, 1e-8);
  EXPECT_NEAR(RateScale("encoder.blocks.23.mlp.fc1.weight", 24, 0.75), 0.75, 1e-12);
}

TEST(RateScaleTest, ConvolutionStagesAreLayerZero) {
  EXPECT_NEAR(RateScale("encoder.blocks1.0.conv1.weight", 11, 0.5), std::pow(0.5, 12), 1e-12);
  EXPECT_NEAR(RateScale("encoder.patch_embed4.weight", 11, 0.5), std::pow(0.5, 12), 1e-12);
  EXPECT_NEAR(RateScale("encoder.blocks3.10.attn.proj.weight", 11, 0.5), 0.5, 1e-12);
}

TEST(NumEncoderBlocksTest, CountsByName) {
  Parameters parameters(1);
  EncoderSpec spec;
  *spec.mutable_vit() = testing::PlainVit(/*patch_px=*/8, /*width=*/8, /*depth=*/3, /*heads=*/2);
  MakeEncoder(spec, {3, 16, 16}, &parameters);
  EXPECT_EQ(NumEncoderBlocks(parameters), 3);
}

// Invariant 13 of the methods: what is decayed is what is neither 1-D nor a bias; positions never are.
TEST(IsDecayedTest, MatricesAndTokensAreVectorsAndPositionsAreNot) {
  const at::Tensor matrix = at::zeros({6, 2}), token = at::zeros({1, 1, 2}), vector = at::zeros({6});
  EXPECT_TRUE(IsDecayed(DECAYED_MATRICES, "encoder.blocks.0.attn.qkv.weight", matrix));
  EXPECT_TRUE(IsDecayed(DECAYED_MATRICES, "encoder.cls_token", token));
  EXPECT_TRUE(IsDecayed(DECAYED_MATRICES, "objective.pixels.mask_token", token));
  EXPECT_FALSE(IsDecayed(DECAYED_MATRICES, "encoder.blocks.0.attn.qkv.bias", vector));
  EXPECT_FALSE(IsDecayed(DECAYED_MATRICES, "encoder.norm.weight", vector));
  EXPECT_FALSE(IsDecayed(DECAYED_MATRICES, "encoder.pos_embed", matrix));
}

// facebookresearch/dino, utils.py, get_params_groups; microsoft/SimMIM, optimizer.py and no_weight_decay of
// models/vision_transformer.py; facebookresearch/moco-v3, main_moco.py, which gives AdamW all parameters alike.
TEST(IsDecayedTest, IsWhatEachMethodsAuthorsDecay) {
  struct Row {
    const char* name;
    std::vector<int64_t> shape;
    bool dino, simmim, moco;
  };
  for (const Row& row : std::vector<Row>{{"encoder.blocks.0.attn.qkv.weight", {6, 2}, true, true, true},
                                         {"encoder.blocks.0.attn.qkv.bias", {6}, false, false, true},
                                         {"encoder.norm.weight", {2}, false, false, true},
                                         {"encoder.cls_token", {1, 1, 2}, true, false, true},
                                         {"encoder.mask_token", {1, 1, 2}, true, true, true},
                                         {"encoder.pos_embed", {5, 2}, true, false, true},
                                         {"objective.contrast.projector.norm1.bias", {4}, false, false, true}}) {
    const at::Tensor parameter = at::zeros(row.shape);
    EXPECT_EQ(IsDecayed(DECAYED_MATRICES_AND_POSITIONS, row.name, parameter), row.dino) << row.name;
    EXPECT_EQ(IsDecayed(DECAYED_MATRICES_BUT_CLASS_TOKEN, row.name, parameter), row.simmim) << row.name;
    EXPECT_EQ(IsDecayed(DECAYED_EVERYTHING, row.name, parameter), row.moco) << row.name;
  }
}

JobSpec TwoObjectives() {
  JobSpec spec;
  ObjectiveSpec* dino = spec.add_objective();
  dino->set_name("dino"), dino->set_weight(1), dino->mutable_self_distillation();
  ObjectiveSpec* other = spec.add_objective();
  other->set_name("dino_2"), other->set_weight(1), other->mutable_mimic();
  return spec;
}

TEST(CohortTest, WhatIsAlwaysInTheLossHasNone) {
  JobSpec spec = TwoObjectives();
  WeightSchedule* schedule = spec.mutable_objective(1)->mutable_weight_schedule();
  schedule->set_final_weight(0.1), schedule->set_end(0.5);
  for (const char* name : {"encoder.norm.weight", "objective.dino.prototypes", "objective.dino.head.0.weight",
                           "objective.dino_2.head.weight"}) {
    EXPECT_EQ(CohortOf(spec, name), "") << name;
  }
  EXPECT_TRUE(IsLive(spec, "", 0));
}

TEST(CohortTest, FrozenPrototypesAreLiveFromTheThawOn) {
  JobSpec spec = TwoObjectives();
  spec.mutable_objective(0)->mutable_self_distillation()->set_frozen_prototypes(0.25);
  EXPECT_EQ(CohortOf(spec, "objective.dino.prototypes"), "objective.dino.prototypes");
  EXPECT_EQ(CohortOf(spec, "objective.dino.head.0.weight"), "");
  EXPECT_FALSE(IsLive(spec, "objective.dino.prototypes", 0));
  EXPECT_FALSE(IsLive(spec, "objective.dino.prototypes", 0.2499));
  EXPECT_TRUE(IsLive(spec, "objective.dino.prototypes", 0.25));
  EXPECT_TRUE(IsLive(spec, "objective.dino.prototypes", 1));
}

TEST(CohortTest, AHeadIsLiveUntilItsWeightIsZero) {
  JobSpec spec = TwoObjectives();
  spec.mutable_objective(0)->mutable_self_distillation()->set_frozen_prototypes(0.25);
  for (ObjectiveSpec& objective : *spec.mutable_objective()) {
    objective.mutable_weight_schedule()->set_final_weight(0), objective.mutable_weight_schedule()->set_end(0.5);
  }
  EXPECT_EQ(CohortOf(spec, "objective.dino_2.head.weight"), "objective.dino_2");
  EXPECT_EQ(CohortOf(spec, "objective.dino.head.0.weight"), "objective.dino");
  EXPECT_EQ(CohortOf(spec, "objective.dino.prototypes"), "objective.dino.prototypes");
  for (const char* cohort : {"objective.dino", "objective.dino_2"}) {
    EXPECT_TRUE(IsLive(spec, cohort, 0)) << cohort;
    EXPECT_TRUE(IsLive(spec, cohort, 0.49)) << cohort;
    EXPECT_FALSE(IsLive(spec, cohort, 0.5)) << cohort;
  }
  EXPECT_TRUE(IsLive(spec, "objective.dino.prototypes", 0.3));
  EXPECT_FALSE(IsLive(spec, "objective.dino.prototypes", 0.6));
}

}  // namespace
}  // namespace mimeo
