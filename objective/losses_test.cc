#include "objective/losses.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/sin.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

namespace mimeo {
namespace {

at::Tensor Waves(at::IntArrayRef shape, double frequency, at::ScalarType type = at::kDouble) {
  int64_t count = 1;
  for (int64_t size : shape) count *= size;
  return at::sin(at::arange(count, at::kDouble) * frequency + 0.3).view(shape).to(type);
}

double At(const at::Tensor& x, int b, int k, int i) { return x[b][k][i].item<double>(); }

TEST(LossesTest, ReconstructionAgainstLoops) {
  const at::Tensor predicted = Waves({2, 3, 5}, 1.7, at::kFloat), target = Waves({2, 3, 5}, 0.9, at::kFloat);
  double sum = 0;
  for (int b = 0; b < 2; ++b) {
    for (int m = 0; m < 3; ++m) {
      for (int i = 0; i < 5; ++i) sum += std::pow(At(predicted, b, m, i) - At(target, b, m, i), 2);
    }
  }
  const at::Tensor loss = ReconstructionLoss(predicted, target);
  EXPECT_EQ(loss.scalar_type(), at::kFloat);
  EXPECT_NEAR(loss.item<double>(), sum / 30, 1e-6);
  EXPECT_EQ(ReconstructionLoss(target, target).item<double>(), 0);
}

TEST(LossesTest, MimicAgainstLoops) {
  constexpr int kWidth = 7;
  const at::Tensor student = Waves({2, 3, kWidth}, 1.7, at::kFloat), teacher = Waves({2, 3, kWidth}, 0.9, at::kFloat) * 4 + 2;
  double sum = 0;
  for (int b = 0; b < 2; ++b) {
    for (int k = 0; k < 3; ++k) {
      double mean = 0, variance = 0;  // biased, as a layer norm's
      for (int i = 0; i < kWidth; ++i) mean += At(teacher, b, k, i) / kWidth;
      for (int i = 0; i < kWidth; ++i) variance += std::pow(At(teacher, b, k, i) - mean, 2) / kWidth;
      for (int i = 0; i < kWidth; ++i) {
        sum += std::pow(At(student, b, k, i) - (At(teacher, b, k, i) - mean) / std::sqrt(variance + 1e-5), 2);
      }
    }
  }
  EXPECT_NEAR(MimicLoss(student, teacher).item<double>(), sum / (2 * 3 * kWidth), 1e-6);
}

TEST(LossesTest, MimicIsZeroForTheWhitenedTeacherAndBlindToOrder) {
  const at::Tensor teacher = Waves({2, 6, 8}, 0.9), student = Waves({2, 6, 8}, 1.7);
  EXPECT_LT(MimicLoss(at::layer_norm(teacher, {8}, {}, {}, 1e-5), teacher).item<double>(), 1e-20);
  EXPECT_NEAR(MimicLoss(student.flip(1), teacher.flip(1)).item<double>(), MimicLoss(student, teacher).item<double>(), 1e-12);
}

TEST(LossesTest, NoGradientReachesTeacherOrTarget) {
  at::Tensor student = Waves({2, 3, 4}, 1.7), teacher = Waves({2, 3, 4}, 0.9);
  student.requires_grad_(), teacher.requires_grad_();
  (MimicLoss(student, teacher) + ReconstructionLoss(student, teacher)).backward();
  EXPECT_TRUE(student.grad().defined());
  EXPECT_FALSE(teacher.grad().defined());
}

TEST(LossesTest, HalfPrecisionIsComparedInFloat32) {
  const at::Tensor predicted = Waves({1, 2, 4}, 1.7, at::kBFloat16), target = Waves({1, 2, 4}, 0.9, at::kFloat);
  EXPECT_EQ(ReconstructionLoss(predicted, target).scalar_type(), at::kFloat);
  EXPECT_NEAR(ReconstructionLoss(predicted, target).item<double>(),
              ReconstructionLoss(predicted.to(at::kFloat), target).item<double>(), 1e-7);
  EXPECT_EQ(MimicLoss(predicted, target.to(at::kHalf)).scalar_type(), at::kFloat);
}

TEST(LossesTest, GradientsAgainstFiniteDifferences) {
  const at::Tensor teacher = Waves({1, 2, 4}, 0.9);
  using Loss = at::Tensor (*)(const at::Tensor&, const at::Tensor&);
  for (const Loss loss : {Loss(ReconstructionLoss), Loss(MimicLoss)}) {
    at::Tensor student = Waves({1, 2, 4}, 1.7);
    student.requires_grad_();
    loss(student, teacher).backward();
    constexpr double kStep = 1e-5;
    for (int i = 0; i < 8; ++i) {
      at::Tensor up = student.detach().clone(), down = up.clone();
      up.view({8})[i] += kStep, down.view({8})[i] -= kStep;
      const double slope = (loss(up, teacher) - loss(down, teacher)).item<double>() / (2 * kStep);
      EXPECT_NEAR(student.grad().view({8})[i].item<double>(), slope, 1e-9);
    }
  }
}

}  // namespace
}  // namespace mimeo
