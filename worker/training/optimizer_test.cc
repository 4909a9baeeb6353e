#include "worker/training/optimizer.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace mimeo {
namespace {

JobSpec Spec() {
  JobSpec job;
  AdamWSpec& spec = *job.mutable_optimizer()->mutable_adamw();
  spec.set_beta1(0.9), spec.set_beta2(0.95), spec.set_epsilon(1e-8), spec.set_weight_decay(0.05),
      spec.set_final_weight_decay(0.05);
  spec.set_layer_decay(1);
  return job;
}

at::Tensor Scalar(float value) { return at::zeros({}, at::kFloat).fill_(value); }

// A matrix, which decays, and a vector, which does not; gradients that differ by element and by step.
class AdamWTest : public testing::Test {
 protected:
  explicit AdamWTest(at::ScalarType type = at::kDouble) {
    parameters_.Add("matrix", {3, 5}, Init::kXavierUniform);
    parameters_.Add("vector", {7}, Init::kOnes);
    parameters_.To(at::kCPU, type);
  }

  void SetGradients(int step) {
    double phase = 0.3 * step;
    for (const auto& [name, tensor] : parameters_.all()) {
      tensor.mutable_grad() = at::sin(at::arange(tensor.numel(), at::kDouble) * 0.7 + phase++)
                                  .view(tensor.sizes())
                                  .to(tensor.scalar_type());
    }
  }

  std::vector<double> Values(const std::string& name) const {
    const at::Tensor tensor = parameters_.Find(name).detach().to(at::kDouble).contiguous().clone();
    return {tensor.const_data_ptr<double>(), tensor.const_data_ptr<double>() + tensor.numel()};
  }

  Parameters parameters_{5};
};

// The update as the paper has it (arXiv 1711.05101, algorithm 2, with the rate as schedule multiplier), one element at
// a time.
struct NaiveAdamW {
  double decay;
  std::vector<double> values, m, v;
  int t = 0;

  void Step(double rate, const std::vector<double>& gradient) {
    ++t;
    for (size_t i = 0; i < values.size(); ++i) {
      m[i] = 0.9 * m[i] + 0.1 * gradient[i];
      v[i] = 0.95 * v[i] + 0.05 * gradient[i] * gradient[i];
      const double m_hat = m[i] / (1 - std::pow(0.9, t)), v_hat = v[i] / (1 - std::pow(0.95, t));
      values[i] -= rate * decay * values[i];
      values[i] -= rate * m_hat / (std::sqrt(v_hat) + 1e-8);
    }
  }
};

TEST_F(AdamWTest, IsTheNaiveUpdateWithDecayOnMatricesOnly) {
  AdamW optimizer(&parameters_, Spec());
  std::map<std::string, NaiveAdamW> naive;
  for (const auto& [name, tensor] : parameters_.all()) {
    const std::vector<double> zeros(static_cast<size_t>(tensor.numel()));
    naive[name] = {tensor.dim() > 1 ? 0.05 : 0.0, Values(name), zeros, zeros};
  }
  for (int step = 0; step < 20; ++step) {
    SetGradients(step);
    const double rate = 1e-2 * (1 + step % 3);
    for (auto& [name, oracle] : naive) {
      const at::Tensor gradient = parameters_.Find(name).grad().contiguous();
      oracle.Step(rate, {gradient.const_data_ptr<double>(), gradient.const_data_ptr<double>() + gradient.numel()});
    }
    optimizer.SetSchedule(rate, 0);
    optimizer.Step(Scalar(0));
  }
  for (const auto& [name, oracle] : naive) {
    const std::vector<double> values = Values(name);
    for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], oracle.values[i], 1e-13) << name << " " << i;
  }
}

TEST_F(AdamWTest, ASkippedStepLeavesEverythingAsItWas) {
  AdamW optimizer(&parameters_, Spec());
  SetGradients(0);
  optimizer.SetSchedule(1e-2, 0);
  optimizer.Step(Scalar(0));
  const auto before = Values("matrix");
  std::map<std::string, at::Tensor> state;
  for (const auto& [name, tensor] : optimizer.State()) state[name] = tensor.clone();
  SetGradients(1);
  parameters_.Find("vector").mutable_grad()[3] = std::nan("");
  optimizer.Step(Scalar(1));
  EXPECT_EQ(Values("matrix"), before);
  for (const auto& [name, tensor] : optimizer.State()) EXPECT_TRUE(at::equal(tensor, state[name])) << name;
}

// DINO's weight decay: from 0.04 to 0.4 (facebookresearch/dino, utils.py, cosine_scheduler).
TEST_F(AdamWTest, WeightDecayFollowsHalfACosine) {
  JobSpec job = Spec();
  AdamWSpec& spec = *job.mutable_optimizer()->mutable_adamw();
  spec.set_weight_decay(0.04), spec.set_final_weight_decay(0.4);
  EXPECT_DOUBLE_EQ(WeightDecayAt(spec, 0), 0.04);
  EXPECT_NEAR(WeightDecayAt(spec, 0.25), 0.0927207793864214, 1e-15);
  EXPECT_NEAR(WeightDecayAt(spec, 0.5), 0.22, 1e-15);
  EXPECT_DOUBLE_EQ(WeightDecayAt(spec, 1), 0.4);
  AdamW optimizer(&parameters_, job);
  for (const auto& [name, tensor] : parameters_.all()) {
    tensor.mutable_grad() = at::zeros(tensor.sizes(), tensor.options());
  }
  const std::vector<double> before = Values("matrix");
  optimizer.SetSchedule(1e-2, 1);
  optimizer.Step(Scalar(0));
  for (size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(Values("matrix")[i], before[i] * (1 - 1e-2 * 0.4), 1e-15);
  EXPECT_EQ(Values("vector"), std::vector<double>(7, 1.0)) << "vectors do not decay";
}

TEST_F(AdamWTest, AStepAfterASkippedOneIsAsIfThatHadNotBeen) {
  AdamW optimizer(&parameters_, Spec());
  SetGradients(0);
  optimizer.SetSchedule(1e-2, 0);
  optimizer.Step(Scalar(1));
  SetGradients(1);
  optimizer.Step(Scalar(0));
  Parameters others(5);
  others.Add("matrix", {3, 5}, Init::kXavierUniform);
  others.Add("vector", {7}, Init::kOnes);
  others.To(at::kCPU, at::kDouble);
  AdamW fresh(&others, Spec());
  for (const auto& [name, tensor] : others.all()) tensor.mutable_grad() = parameters_.Find(name).grad();
  fresh.SetSchedule(1e-2, 0);
  fresh.Step(Scalar(0));
  for (const auto& [name, tensor] : others.all()) EXPECT_TRUE(at::equal(tensor, parameters_.Find(name))) << name;
}

TEST_F(AdamWTest, StateNamesEveryMomentAndTheStepCount) {
  AdamW optimizer(&parameters_, Spec());
  SetGradients(0);
  optimizer.SetSchedule(1e-2, 0);
  optimizer.Step(Scalar(0));
  optimizer.Step(Scalar(0));
  std::map<std::string, at::Tensor> state;
  for (const auto& [name, tensor] : optimizer.State()) state[name] = tensor;
  ASSERT_EQ(state.size(), 5u);
  EXPECT_EQ(state.at("steps").item<float>(), 2);
  EXPECT_EQ(state.at("exp_avg.matrix").sizes(), parameters_.Find("matrix").sizes());
  EXPECT_EQ(state.at("exp_avg_sq.vector").sizes(), parameters_.Find("vector").sizes());
  EXPECT_NE(state.at("exp_avg.vector").abs().sum().item<double>(), 0);
}

// Objectives of which one has prototypes that are frozen until `frozen_until`, and one a weight that falls to 0 at
// `weightless_from`.
JobSpec LateSpec(double frozen_until, double weightless_from) {
  JobSpec job = Spec();
  ObjectiveSpec* dino = job.add_objective();
  dino->set_name("dino"), dino->set_weight(1);
  dino->mutable_self_distillation()->set_frozen_prototypes(frozen_until);
  ObjectiveSpec* mimic = job.add_objective();
  mimic->set_name("mimic"), mimic->set_weight(1), mimic->mutable_mimic();
  WeightSchedule* schedule = mimic->mutable_weight_schedule();
  schedule->set_final_weight(0), schedule->set_begin(0), schedule->set_end(weightless_from),
      schedule->set_shape(SCHEDULE_SHAPE_LINEAR);
  return job;
}

class LateAdamWTest : public AdamWTest {
 protected:
  LateAdamWTest() : AdamWTest(at::kDouble) {
    for (const std::string name : {"encoder.norm.weight", "objective.dino.prototypes", "objective.dino.head.0.weight",
                                   "objective.mimic.head.weight", "objective.mimic.head.bias"}) {
      const bool vector = name == "encoder.norm.weight" || name == "objective.mimic.head.bias";
      parameters_.Add(name, vector ? std::vector<int64_t>{4} : std::vector<int64_t>{3, 4},
                      vector ? Init::kOnes : Init::kXavierUniform);
    }
    parameters_.To(at::kCPU, at::kDouble);
  }
  // As ObjectiveSum leaves them: those of what has no part in the loss are 0.
  void SetGradients(int step, const std::set<std::string>& resting) {
    AdamWTest::SetGradients(step);
    for (const std::string& name : resting) parameters_.Find(name).mutable_grad().zero_();
  }
  std::set<std::string> RestingAt(double progress) const {
    std::set<std::string> resting;
    if (progress < 0.3) resting.insert("objective.dino.prototypes");
    if (progress >= 0.8) resting.insert({"objective.mimic.head.weight", "objective.mimic.head.bias"});
    return resting;
  }
};

// PyTorch's semantics: an optimizer passes over a parameter whose gradient is None, and facebookresearch/dino makes it
// so for the prototypes of the first epoch (utils.py, cancel_gradients_last_layer).
TEST_F(LateAdamWTest, IsTheNaiveUpdateThatPassesOverWhatHasNoGradient) {
  AdamW optimizer(&parameters_, LateSpec(0.3, 0.8));
  std::map<std::string, NaiveAdamW> naive;
  for (const auto& [name, tensor] : parameters_.all()) {
    const std::vector<double> zeros(static_cast<size_t>(tensor.numel()));
    naive[name] = {tensor.dim() > 1 ? 0.05 : 0.0, Values(name), zeros, zeros};
  }
  const std::vector<double> frozen = Values("objective.dino.prototypes");
  constexpr int kSteps = 20;
  for (int step = 0; step < kSteps; ++step) {
    const double progress = static_cast<double>(step) / (kSteps - 1);
    const std::set<std::string> resting = RestingAt(progress);
    SetGradients(step, resting);
    const bool skipped = step == 7 || step == 2;  // a gradient that is not finite: of a frozen step, and of a live one
    for (auto& [name, oracle] : naive) {
      if (resting.count(name) > 0 || skipped) continue;
      const at::Tensor gradient = parameters_.Find(name).grad().contiguous();
      oracle.Step(1e-2, {gradient.const_data_ptr<double>(), gradient.const_data_ptr<double>() + gradient.numel()});
    }
    optimizer.SetSchedule(1e-2, progress);
    optimizer.Step(Scalar(skipped ? 1 : 0));
    if (progress < 0.3) {
      EXPECT_EQ(Values("objective.dino.prototypes"), frozen) << "step " << step;
    }
  }
  for (const auto& [name, oracle] : naive) {
    const std::vector<double> values = Values(name);
    for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], oracle.values[i], 1e-13) << name << " " << i;
  }
}

TEST_F(LateAdamWTest, TheFirstUpdateAfterTheThawIsAsLongAsAnyFirstOne) {
  AdamW optimizer(&parameters_, LateSpec(0.5, 1));
  for (int step = 0; step < 60; ++step) {
    SetGradients(step, {"objective.dino.prototypes"});
    optimizer.SetSchedule(1e-2, 0.4);
    optimizer.Step(Scalar(0));
  }
  const std::vector<double> before = Values("objective.dino.prototypes");
  SetGradients(60, {});
  optimizer.SetSchedule(1e-2, 0.5);
  optimizer.Step(Scalar(0));
  const std::vector<double> after = Values("objective.dino.prototypes");
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_NEAR(std::abs(after[i] - before[i] * (1 - 1e-2 * 0.05)), 1e-2, 1e-6) << i;
  }
}

TEST_F(LateAdamWTest, EachCohortCountsItsOwnSteps) {
  AdamW optimizer(&parameters_, LateSpec(0.3, 0.8));
  for (const double progress : {0.0, 0.2, 0.4, 0.6, 0.9, 1.0}) {
    SetGradients(0, RestingAt(progress));
    optimizer.SetSchedule(1e-2, progress);
    optimizer.Step(Scalar(0));
  }
  std::map<std::string, at::Tensor> state;
  for (const auto& [name, tensor] : optimizer.State()) state[name] = tensor;
  EXPECT_EQ(state.at("steps").item<float>(), 6);
  EXPECT_EQ(state.at("steps.objective.dino.prototypes").item<float>(), 4);
  EXPECT_EQ(state.at("steps.objective.mimic").item<float>(), 4);
  EXPECT_EQ(state.size(), 3 + 2 * parameters_.all().size());
  const auto cohorts = optimizer.cohorts();
  ASSERT_EQ(cohorts.size(), 2u);
  EXPECT_EQ(cohorts.at("objective.mimic").size(), 2u);
}

TEST_F(AdamWTest, TheNormIsOfAllGradientsTogether) {
  SetGradients(4);
  double squares = 0;
  for (const auto& [name, tensor] : parameters_.all()) squares += tensor.grad().square().sum().item<double>();
  const at::Tensor before = parameters_.Find("matrix").grad().clone();
  EXPECT_NEAR(ClipGradNorm(parameters_, 0, CLIPPING_GLOBAL).item<double>(), std::sqrt(squares), 1e-12);
  EXPECT_TRUE(at::equal(parameters_.Find("matrix").grad(), before)) << "0 is off";
}

TEST_F(AdamWTest, ClippingScalesLongGradientsOnly) {
  SetGradients(4);
  const double norm = ClipGradNorm(parameters_, 1.0, CLIPPING_GLOBAL).item<double>();
  EXPECT_GT(norm, 1.5) << "the norm before clipping";
  EXPECT_NEAR(ClipGradNorm(parameters_, 0, CLIPPING_GLOBAL).item<double>(), 1.0, 1e-5);
  const at::Tensor before = parameters_.Find("vector").grad().clone();
  ClipGradNorm(parameters_, 50.0, CLIPPING_GLOBAL);
  EXPECT_TRUE(at::equal(parameters_.Find("vector").grad(), before));
}

// facebookresearch/dino, utils.py, clip_gradients: each tensor has its own factor, and short ones keep their gradient.
TEST_F(AdamWTest, ClippingPerTensorScalesEachByItsOwnNorm) {
  SetGradients(4);
  std::map<std::string, at::Tensor> before;
  for (const auto& [name, tensor] : parameters_.all()) before[name] = tensor.grad().clone();
  const double most = (before.at("matrix").norm().item<double>() + before.at("vector").norm().item<double>()) / 2;
  ClipGradNorm(parameters_, most, CLIPPING_PER_TENSOR);
  int clipped = 0;
  for (const auto& [name, gradient] : before) {
    const double norm = gradient.norm().item<double>();
    const at::Tensor expected = norm > most ? gradient * (most / (norm + 1e-6)) : gradient;
    EXPECT_TRUE(at::allclose(parameters_.Find(name).grad(), expected, 1e-12, 1e-12)) << name;
    clipped += norm > most ? 1 : 0;
  }
  EXPECT_GT(clipped, 0);
  EXPECT_LT(clipped, static_cast<int>(before.size()));
}

TEST_F(AdamWTest, ZeroedGradientsStayWhereTheyWere) {
  SetGradients(0);
  std::map<std::string, void*> places;
  for (const auto& [name, tensor] : parameters_.trained()) places[name] = tensor.grad().data_ptr();
  ZeroGradients(parameters_);
  for (const auto& [name, tensor] : parameters_.trained()) {
    EXPECT_EQ(tensor.grad().data_ptr(), places.at(name)) << name;
    EXPECT_EQ(tensor.grad().abs().max().item<double>(), 0) << name;
  }
}

TEST_F(AdamWTest, ClearedGradientsAreGone) {
  SetGradients(0);
  ClearGradients(parameters_);
  for (const auto& [name, tensor] : parameters_.all()) EXPECT_FALSE(tensor.grad().defined()) << name;
}

}  // namespace
}  // namespace mimeo
