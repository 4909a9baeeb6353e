#include "worker/training/model_average.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "model/testing/vit_spec.h"

namespace mimeo {
namespace {

EmaSpec Ema(double decay, double final_decay) {
  EmaSpec ema;
  ema.set_decay(decay), ema.set_final_decay(final_decay);
  return ema;
}

struct Model {
  Model() : parameters(5) {
    *spec.mutable_data() = testing::PlainData(16);
    *spec.mutable_encoder()->mutable_vit() = testing::PlainVit(/*patch_px=*/8, /*width=*/8, /*depth=*/1, /*heads=*/2);
    *spec.mutable_ema() = Ema(0.9, 0.9);
    encoder = MakeEncoder(spec.encoder(), ImageShapeOf(spec.data()), &parameters);
    parameters.Add("objective.head.weight", {2, 8}, Init::kXavierUniform);
  }
  JobSpec spec;
  Parameters parameters;
  std::unique_ptr<Encoder> encoder;
};

const at::Tensor kApplied = at::zeros({}), kSkipped = at::zeros({}) + 1;

TEST(ModelAverageTest, StartsAsTheEncoderAndGivesItsFeatures) {
  Model model;
  ModelAverage average(model.spec, Products::kAsStored);
  average.Start(model.parameters);
  const at::Tensor images = at::zeros({2, 3, 16, 16}) + 0.5;
  const MaskPlan plan = AllVisible(2, 4, at::kCPU);
  EXPECT_TRUE(
      at::equal(average.encoder().Encode(images, plan).visible_BKD, model.encoder->Encode(images, plan).visible_BKD));
}

TEST(ModelAverageTest, MovesByItsDecayAndNotAtAllWhenTheStepWasSkipped) {
  Model model;
  ModelAverage average(model.spec, Products::kAsStored);
  average.Start(model.parameters);
  const at::Tensor weight = model.parameters.Find("encoder.norm.weight");  // ones
  {
    const at::NoGradGuard no_grad;
    weight.add_(10);
  }
  const auto state = [&] {
    for (const auto& [name, tensor] : average.State()) {
      if (name == "ema.encoder.norm.weight") return tensor[0].item<float>();
    }
    return -1.0f;
  };
  average.SetSchedule(0);
  average.Update(kSkipped, {});
  EXPECT_EQ(state(), 1);
  average.Update(kApplied, {});
  EXPECT_NEAR(state(), 2, 1e-6);  // 0.9 * 1 + 0.1 * 11
  average.Update(kApplied, {});
  EXPECT_NEAR(state(), 0.9 * 2 + 1.1, 1e-6);
}

TEST(ModelAverageTest, KeepsTheEncoderAloneAndTrainsNothing) {
  Model model;
  ModelAverage average(model.spec, Products::kAsStored);
  average.Start(model.parameters);
  EXPECT_EQ(average.State().size() + 1, model.parameters.all().size());
  for (const auto& [name, tensor] : average.State()) {
    EXPECT_EQ(name.rfind("ema.encoder.", 0), 0u);
    EXPECT_FALSE(tensor.requires_grad()) << name;
  }
}

// BYOL and DINO: from 0.996 to 1 by a cosine.
TEST(DecayAtTest, GoldenValues) {
  EXPECT_DOUBLE_EQ(DecayAt(Ema(0.996, 1), 0), 0.996);
  EXPECT_NEAR(DecayAt(Ema(0.996, 1), 0.25), 0.99658578643762691, 1e-15);
  EXPECT_NEAR(DecayAt(Ema(0.996, 1), 0.5), 0.998, 1e-15);
  EXPECT_DOUBLE_EQ(DecayAt(Ema(0.996, 1), 1), 1);
  EXPECT_DOUBLE_EQ(DecayAt(Ema(0.99, 0.99), 0.3), 0.99);
}

}  // namespace
}  // namespace mimeo
