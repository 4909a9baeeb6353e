#include "objective/losses.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/sin.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

namespace mimeo {
namespace {

at::Tensor Waves(at::IntArrayRef shape, double frequency, at::ScalarType type = at::kDouble) {
  int64_t count = 1;
  for (int64_t size : shape) count *= size;
  return at::sin(at::arange(count, at::kDouble) * frequency + 0.3).view(shape).to(type);
}

double At(const at::Tensor& x, int b, int k, int i) { return x[b][k][i].item<double>(); }

at::Tensor Squared(const at::Tensor& predicted, const at::Tensor& target) {
  return ReconstructionLoss(predicted, target, PIXEL_DISTANCE_MSE);
}
at::Tensor Mimic(const at::Tensor& student, const at::Tensor& teacher, MimicDistance distance = MIMIC_DISTANCE_MSE,
                 TeacherNorm norm = TEACHER_NORM_WHITEN) {
  return MimicLoss(student, teacher, distance, norm);
}

TEST(LossesTest, ReconstructionAgainstLoops) {
  const at::Tensor predicted = Waves({2, 3, 5}, 1.7, at::kFloat), target = Waves({2, 3, 5}, 0.9, at::kFloat);
  double squares = 0, magnitudes = 0;
  for (int b = 0; b < 2; ++b) {
    for (int m = 0; m < 3; ++m) {
      for (int i = 0; i < 5; ++i) {
        const double difference = At(predicted, b, m, i) - At(target, b, m, i);
        squares += difference * difference, magnitudes += std::abs(difference);
      }
    }
  }
  EXPECT_EQ(Squared(predicted, target).scalar_type(), at::kFloat);
  EXPECT_NEAR(Squared(predicted, target).item<double>(), squares / 30, 1e-6);
  EXPECT_NEAR(ReconstructionLoss(predicted, target, PIXEL_DISTANCE_L1).item<double>(), magnitudes / 30, 1e-6);
  for (const PixelDistance distance : {PIXEL_DISTANCE_MSE, PIXEL_DISTANCE_L1}) {
    EXPECT_EQ(ReconstructionLoss(target, target, distance).item<double>(), 0);
  }
}

// One teacher token, as `norm` says.
std::vector<double> NormalizedByLoops(const std::vector<double>& token, TeacherNorm norm) {
  const double size = static_cast<double>(token.size());
  double mean = 0, variance = 0, squares = 0;  // biased, as a layer norm's
  for (const double x : token) mean += x / size, squares += x * x;
  for (const double x : token) variance += (x - mean) * (x - mean) / size;
  std::vector<double> result;
  for (const double x : token) {
    if (norm == TEACHER_NORM_WHITEN) result.push_back((x - mean) / std::sqrt(variance + 1e-5));
    if (norm == TEACHER_NORM_L2) result.push_back(x / std::sqrt(squares));
    if (norm == TEACHER_NORM_RAW) result.push_back(x);
  }
  return result;
}

// What one token adds to the mean over tokens.
double DistanceByLoops(const std::vector<double>& student, const std::vector<double>& teacher, MimicDistance distance) {
  double sum = 0, product = 0, students = 0, teachers = 0;
  for (size_t i = 0; i < student.size(); ++i) {
    const double difference = std::abs(student[i] - teacher[i]);
    if (distance == MIMIC_DISTANCE_MSE) sum += difference * difference;
    if (distance == MIMIC_DISTANCE_SMOOTH_L1) {
      sum += 2 * (difference < 1 ? difference * difference / 2 : difference - 0.5);
    }
    product += student[i] * teacher[i], students += student[i] * student[i], teachers += teacher[i] * teacher[i];
  }
  if (distance == MIMIC_DISTANCE_COSINE) return 2 - 2 * product / std::sqrt(students * teachers);
  return sum / static_cast<double>(student.size());
}

std::vector<double> Token(const at::Tensor& x, int b, int k) {
  std::vector<double> token;
  for (int i = 0; i < x.size(2); ++i) token.push_back(At(x, b, k, i));
  return token;
}

TEST(LossesTest, MimicAgainstLoops) {
  // Wide enough that smooth L1 is on both of its sides.
  const at::Tensor student = Waves({2, 3, 7}, 1.7, at::kFloat) * 2, teacher = Waves({2, 3, 7}, 0.9, at::kFloat) * 4 + 2;
  for (const MimicDistance distance : {MIMIC_DISTANCE_MSE, MIMIC_DISTANCE_SMOOTH_L1, MIMIC_DISTANCE_COSINE}) {
    for (const TeacherNorm norm : {TEACHER_NORM_WHITEN, TEACHER_NORM_L2, TEACHER_NORM_RAW}) {
      double sum = 0;
      for (int b = 0; b < 2; ++b) {
        for (int k = 0; k < 3; ++k) {
          sum += DistanceByLoops(Token(student, b, k), NormalizedByLoops(Token(teacher, b, k), norm), distance);
        }
      }
      EXPECT_NEAR(Mimic(student, teacher, distance, norm).item<double>(), sum / 6, 4e-6) << distance << " " << norm;
    }
  }
}

TEST(LossesTest, MimicIsZeroForTheNormalizedTeacherAndBlindToOrder) {
  const at::Tensor teacher = Waves({2, 6, 8}, 0.9), student = Waves({2, 6, 8}, 1.7);
  for (const MimicDistance distance : {MIMIC_DISTANCE_MSE, MIMIC_DISTANCE_SMOOTH_L1, MIMIC_DISTANCE_COSINE}) {
    EXPECT_NEAR(Mimic(at::layer_norm(teacher, {8}, {}, {}, 1e-5), teacher, distance).item<double>(), 0, 1e-14)
        << distance;
    EXPECT_NEAR(Mimic(UnitLength(teacher), teacher, distance, TEACHER_NORM_L2).item<double>(), 0, 1e-14) << distance;
    EXPECT_NEAR(Mimic(teacher, teacher, distance, TEACHER_NORM_RAW).item<double>(), 0, 1e-14) << distance;
    EXPECT_NEAR(Mimic(student.flip(1), teacher.flip(1), distance).item<double>(),
                Mimic(student, teacher, distance).item<double>(), 1e-12);
  }
}

TEST(LossesTest, CosineIsBlindToTheStudentsLength) {
  const at::Tensor teacher = Waves({2, 6, 8}, 0.9), student = Waves({2, 6, 8}, 1.7);
  EXPECT_NEAR(Mimic(student * 5, teacher, MIMIC_DISTANCE_COSINE).item<double>(),
              Mimic(student, teacher, MIMIC_DISTANCE_COSINE).item<double>(), 1e-12);
}

TEST(LossesTest, NoGradientReachesTeacherOrTarget) {
  at::Tensor student = Waves({2, 3, 4}, 1.7), teacher = Waves({2, 3, 4}, 0.9);
  student.requires_grad_(), teacher.requires_grad_();
  (Mimic(student, teacher) + Mimic(student, teacher, MIMIC_DISTANCE_COSINE, TEACHER_NORM_RAW) +
   Squared(student, teacher) + NegativeFreeLoss(student.flatten(0, 1), teacher.flatten(0, 1)))
      .backward();
  EXPECT_TRUE(student.grad().defined());
  EXPECT_FALSE(teacher.grad().defined());
}

TEST(LossesTest, HalfPrecisionIsComparedInFloat32) {
  const at::Tensor predicted = Waves({1, 2, 4}, 1.7, at::kBFloat16), target = Waves({1, 2, 4}, 0.9, at::kFloat);
  EXPECT_EQ(Squared(predicted, target).scalar_type(), at::kFloat);
  EXPECT_NEAR(Squared(predicted, target).item<double>(), Squared(predicted.to(at::kFloat), target).item<double>(),
              1e-7);
  EXPECT_EQ(Mimic(predicted, target.to(at::kHalf)).scalar_type(), at::kFloat);
  EXPECT_EQ(NegativeFreeLoss(predicted[0], target[0]).scalar_type(), at::kFloat);
}

TEST(LossesTest, GradientsAgainstFiniteDifferences) {
  const at::Tensor teacher = Waves({1, 2, 4}, 0.9);
  std::vector<std::function<at::Tensor(const at::Tensor&)>> losses = {
      [&](const at::Tensor& x) { return Squared(x, teacher); },
      [&](const at::Tensor& x) { return ReconstructionLoss(x, teacher, PIXEL_DISTANCE_L1); },
      [&](const at::Tensor& x) { return NegativeFreeLoss(x[0], teacher[0]); },
  };
  for (const MimicDistance distance : {MIMIC_DISTANCE_MSE, MIMIC_DISTANCE_SMOOTH_L1, MIMIC_DISTANCE_COSINE}) {
    losses.push_back([&, distance](const at::Tensor& x) { return Mimic(x, teacher, distance); });
  }
  for (const auto& loss : losses) {
    at::Tensor student = Waves({1, 2, 4}, 1.7);
    student.requires_grad_();
    loss(student).backward();
    constexpr double kStep = 1e-5;
    for (int i = 0; i < 8; ++i) {
      at::Tensor up = student.detach().clone(), down = up.clone();
      up.view({8})[i] += kStep, down.view({8})[i] -= kStep;
      const double slope = (loss(up) - loss(down)).item<double>() / (2 * kStep);
      EXPECT_NEAR(student.grad().view({8})[i].item<double>(), slope, 1e-9);
    }
  }
}

}  // namespace
}  // namespace mimeo
