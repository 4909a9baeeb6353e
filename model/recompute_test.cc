#include "model/recompute.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/function.h>

#include "model/parameters.h"
#include "model/transformer.h"

namespace mimeo {
namespace {

at::Tensor Leaf(at::IntArrayRef shape, uint64_t seed) {
  Parameters made(seed);
  return made.Add("x", shape, Init::kNormal002);
}

TEST(RecomputeTest, TheBodyRunsAgainInTheBackwardPassAndGradientsAreTheSame) {
  const at::Tensor x = Leaf({4, 3}, 1), w = Leaf({3, 5}, 2);
  int runs = 0;
  const at::Tensor y = Recomputed(x, {w}, [&](const at::Tensor& input) {
    ++runs;
    return at::matmul(input, w).tanh();
  });
  EXPECT_EQ(runs, 1);
  y.square().sum().backward();
  EXPECT_EQ(runs, 2);
  const at::Tensor got_x = x.grad().clone(), got_w = w.grad().clone();
  x.mutable_grad() = at::Tensor(), w.mutable_grad() = at::Tensor();
  at::matmul(x, w).tanh().square().sum().backward();
  EXPECT_TRUE(at::equal(got_x, x.grad()));
  EXPECT_TRUE(at::equal(got_w, w.grad()));
}

TEST(RecomputeTest, APartThatIsUsedTwiceGivesItsParametersTheSumOfTheirGradients) {
  const at::Tensor a = Leaf({2, 3}, 1), b = Leaf({2, 3}, 2), w = Leaf({3, 3}, 3);
  const auto part = [&](const at::Tensor& input) {
    return Recomputed(input, {w}, [&](const at::Tensor& x) { return at::matmul(x, w).sin(); });
  };
  (part(a).sum() + part(b).sum()).backward();
  const at::Tensor got = w.grad().clone();
  w.mutable_grad() = at::Tensor();
  (at::matmul(a, w).sin().sum() + at::matmul(b, w).sin().sum()).backward();
  EXPECT_TRUE(at::allclose(got, w.grad(), 1e-6, 1e-9));
}

TEST(RecomputeTest, WithoutAGradientItIsTheBodyAlone) {
  const at::Tensor w = Leaf({3, 3}, 3);
  int runs = 0;
  const auto part = [&](const at::Tensor& input) {
    return Recomputed(input, {w}, [&](const at::Tensor& x) { return ++runs, at::matmul(x, w); });
  };
  part(at::ones({2, 3})).sum().backward();
  EXPECT_EQ(runs, 1) << "the input is a constant: nothing was saved by computing twice";
  EXPECT_TRUE(w.grad().defined());
  const at::NoGradGuard no_grad;
  EXPECT_FALSE(part(Leaf({2, 3}, 1)).requires_grad());
  EXPECT_EQ(runs, 2);
}

TEST(RecomputeTest, ABlockGivesTheSameNumbersToTheLastBit) {
  BlockShape shape;
  shape.width = 8, shape.heads = 2, shape.mlp_width = 16, shape.layer_scale = 0.1;
  const at::Tensor x = Leaf({2, 5, 8}, 9), scale_B2 = at::ones({2, 2}) * 0.5;
  std::vector<at::Tensor> gradients[2];
  for (const bool recompute : {false, true}) {
    Parameters parameters(7);
    parameters.set_recompute_blocks(recompute);
    const TransformerBlock other("other", shape, &parameters), block("block", shape, &parameters);
    x.mutable_grad() = at::Tensor();
    const at::Tensor y = block.Forward(x, 2, scale_B2);
    EXPECT_EQ(y.grad_fn()->name().find("Recompute") != std::string::npos, recompute) << y.grad_fn()->name();
    y.square().sum().backward();
    gradients[recompute].push_back(x.grad().clone());
    for (const auto& [name, tensor] : parameters.all()) {
      const bool of_block = name.rfind("block.", 0) == 0;
      EXPECT_EQ(tensor.grad().defined(), of_block) << name;
      if (of_block) gradients[recompute].push_back(tensor.grad().clone());
    }
  }
  ASSERT_EQ(gradients[0].size(), gradients[1].size());
  for (size_t i = 0; i < gradients[0].size(); ++i) EXPECT_TRUE(at::equal(gradients[0][i], gradients[1][i])) << i;
}

}  // namespace
}  // namespace mimeo
