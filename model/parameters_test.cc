#include "model/parameters.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include <cmath>

namespace mimeo {
namespace {

struct Moments {
  double mean, deviation, low, high;
};
Moments MomentsOf(const at::Tensor& x) {
  return {x.mean().item<double>(), x.std(false).item<double>(), x.min().item<double>(), x.max().item<double>()};
}

TEST(ParametersTest, XavierUniformFillsItsBound) {
  Parameters parameters(3);
  const double bound = std::sqrt(6.0 / (384 + 128));
  const Moments m = MomentsOf(parameters.Add("qkv.weight", {384, 128}, Init::kXavierUniform));
  EXPECT_NEAR(m.mean, 0, 0.01 * bound);
  EXPECT_NEAR(m.deviation, bound / std::sqrt(3.0), 0.01 * bound);
  EXPECT_NEAR(m.low, -bound, 0.001 * bound);
  EXPECT_NEAR(m.high, bound, 0.001 * bound);
}

TEST(ParametersTest, AConvolutionsWeightIsAMatrixToXavier) {
  Parameters parameters(3);
  const double bound = std::sqrt(6.0 / (64 + 3 * 16 * 16));
  const Moments m = MomentsOf(parameters.Add("proj.weight", {64, 3, 16, 16}, Init::kXavierUniform));
  EXPECT_NEAR(m.high, bound, 0.001 * bound);
  EXPECT_NEAR(m.low, -bound, 0.001 * bound);
}

TEST(ParametersTest, TheOtherKinds) {
  Parameters parameters(3);
  EXPECT_EQ(parameters.Add("zeros", {5}, Init::kZeros).abs().max().item<float>(), 0);
  EXPECT_TRUE(at::equal(parameters.Add("ones", {5}, Init::kOnes), at::ones({5})));
  const Moments normal = MomentsOf(parameters.Add("cls_token", {1, 1, 40000}, Init::kNormal002));
  EXPECT_NEAR(normal.mean, 0, 0.0005);
  EXPECT_NEAR(normal.deviation, 0.02, 0.0005);
  EXPECT_GT(normal.high, 0.06);
  const Moments bias = MomentsOf(parameters.Add("proj.bias", {40000}, Init::kConvDefault, 768));
  EXPECT_NEAR(bias.high, 1 / std::sqrt(768.0), 1e-4);
  EXPECT_NEAR(bias.low, -1 / std::sqrt(768.0), 1e-4);
}

TEST(ParametersTest, AValueDependsOnSeedAndNameOnly) {
  Parameters one(7), other(7), reseeded(8);
  const at::Tensor a = one.Add("a", {64, 64}, Init::kXavierUniform);
  other.Add("b", {3}, Init::kNormal002);  // another order, another neighbour
  EXPECT_TRUE(at::equal(a, other.Add("a", {64, 64}, Init::kXavierUniform)));
  EXPECT_FALSE(at::equal(a, one.Add("c", {64, 64}, Init::kXavierUniform)));
  EXPECT_FALSE(at::equal(a, reseeded.Add("a", {64, 64}, Init::kXavierUniform)));
}

TEST(ParametersTest, HandlesSeeAMove) {
  Parameters parameters(7);
  const at::Tensor handle = parameters.Add("a", {4, 4}, Init::kXavierUniform);
  const at::Tensor fixed = parameters.AddConstant("positions", at::ones({2}));
  parameters.To(at::kCPU, at::kDouble);
  EXPECT_EQ(handle.scalar_type(), at::kDouble);
  EXPECT_EQ(fixed.scalar_type(), at::kDouble);
  EXPECT_TRUE(handle.requires_grad());
  EXPECT_FALSE(fixed.requires_grad());
  handle.sum().backward();
  EXPECT_EQ(parameters.Find("a").grad().scalar_type(), at::kDouble);
  ASSERT_EQ(parameters.all().size(), 1u);  // a constant is not trained
  EXPECT_TRUE(parameters.Find("positions").is_same(fixed));
}

TEST(ParametersDeathTest, NamesAreUniqueAndKnown) {
  Parameters parameters(7);
  parameters.Add("a", {1}, Init::kZeros);
  EXPECT_DEATH(parameters.Add("a", {1}, Init::kZeros), "a");
  EXPECT_DEATH(parameters.Find("b"), "no parameter is called b");
}

}  // namespace
}  // namespace mimeo
