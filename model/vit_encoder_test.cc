#include "model/vit_encoder.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include "model/patches.h"
#include "model/testing/vit_spec.h"

namespace mimeo {
namespace {

constexpr int kImagePx = 32, kPatches = 16, kVisible = 5, kWidth = 24, kHeads = 3;

EncoderSpec TinySpec(bool mask_token = false) {
  EncoderSpec spec;
  *spec.mutable_vit() = testing::PlainVit(/*patch_px=*/8, kWidth, /*depth=*/2, kHeads);
  spec.mutable_vit()->set_mask_token(mask_token);
  return spec;
}

at::Tensor Images(int batch, double phase) {
  return at::sin(at::arange(batch * 3 * kImagePx * kImagePx, at::kFloat) * 0.37 + phase)
      .view({batch, 3, kImagePx, kImagePx});
}

MaskPlan Plan(int batch) {
  std::vector<RandomKey> keys;
  for (int i = 0; i < batch; ++i) keys.push_back(RandomKey(5).Fold(i));
  return RandomMaskPlan(keys, kPatches, kVisible);
}

// `images` where visible, `others` where hidden.
at::Tensor ReplaceHidden(const at::Tensor& images, const at::Tensor& others, const MaskPlan& plan) {
  at::Tensor patches = Patchify(images, 8).clone();
  const at::Tensor replacement = Patchify(others, 8);
  for (int64_t b = 0; b < plan.hidden_BM.size(0); ++b) {
    patches[b].index_copy_(0, plan.hidden_BM[b], replacement[b].index_select(0, plan.hidden_BM[b]));
  }
  return Unpatchify(patches, {4, 4, 8});
}

class NeverLooks : public ::testing::TestWithParam<std::tuple<Products, bool>> {};

TEST_P(NeverLooks, HiddenPixelsDoNotMatter) {
  const auto [products, mask_token] = GetParam();
  Parameters parameters(1, products);
  const auto encoder = MakeEncoder(TinySpec(mask_token), {3, kImagePx, kImagePx}, &parameters);
  const MaskPlan plan = Plan(3);
  const at::Tensor images = Images(3, 0);
  const Encoding encoding = encoder->Encode(images, plan);
  const at::Tensor nan = at::full({3, 3, kImagePx, kImagePx}, std::numeric_limits<float>::quiet_NaN());
  for (const at::Tensor& others : {Images(3, 2), nan}) {
    const Encoding other = encoder->Encode(ReplaceHidden(images, others, plan), plan);
    EXPECT_TRUE(at::equal(other.visible_BKD, encoding.visible_BKD));
    EXPECT_TRUE(at::equal(other.class_BD, encoding.class_BD));
    EXPECT_EQ(other.hidden_BMD.defined(), mask_token);
    if (mask_token) {
      EXPECT_TRUE(at::equal(other.hidden_BMD, encoding.hidden_BMD));
    }
  }
  EXPECT_FALSE(at::equal(encoder->Encode(Images(3, 2), plan).visible_BKD, encoding.visible_BKD));
}
INSTANTIATE_TEST_SUITE_P(Precisions, NeverLooks,
                         ::testing::Combine(::testing::Values(Products::kAsStored, Products::kBFloat16),
                                            ::testing::Bool()));

// The same encoder by the book: a convolution over all patches, attention as softmax(q k^T / sqrt(d)) v, in double.
class Naive {
 public:
  explicit Naive(const Parameters& parameters) : parameters_(parameters) {}

  at::Tensor Encode(const at::Tensor& images, const MaskPlan& plan) const {
    at::Tensor x = at::conv2d(images, Find("patch_embed.proj.weight"), Find("patch_embed.proj.bias"), 8)
                       .flatten(2)
                       .transpose(1, 2);
    const at::Tensor positions = SinCosPositions({4, 4, 8}, kWidth).to(at::kDouble);
    const at::Tensor visible = TakePatches(x + positions.slice(0, 1), plan.visible_BK);
    x = visible;
    if (parameters_.Has("encoder.mask_token")) {
      const at::Tensor places = positions.slice(0, 1).unsqueeze(0).expand({x.size(0), kPatches, kWidth});
      x = at::cat({visible, Find("mask_token") + TakePatches(places, plan.hidden_BM)}, 1);
    }
    x = at::cat({Find("cls_token").expand({x.size(0), 1, kWidth}), x}, 1);
    for (int i = 0; i < 2; ++i) {
      const std::string block = "blocks." + std::to_string(i) + ".";
      x = x + Attention(Norm(x, block + "norm1"), block);
      x = x + Apply(at::gelu(Apply(Norm(x, block + "norm2"), block + "mlp.fc1")), block + "mlp.fc2");
    }
    return Norm(x, "norm");
  }

 private:
  at::Tensor Find(const std::string& name) const { return parameters_.Find("encoder." + name); }
  at::Tensor Apply(const at::Tensor& x, const std::string& name) const {
    return at::linear(x, Find(name + ".weight"), Find(name + ".bias"));
  }
  at::Tensor Norm(const at::Tensor& x, const std::string& name) const {
    return at::layer_norm(x, {kWidth}, Find(name + ".weight"), Find(name + ".bias"), 1e-6);
  }
  at::Tensor Attention(const at::Tensor& x, const std::string& block) const {
    const at::Tensor qkv =
        Apply(x, block + "attn.qkv").view({x.size(0), x.size(1), 3, kHeads, kWidth / kHeads}).permute({2, 0, 3, 1, 4});
    const at::Tensor weights = (qkv[0].matmul(qkv[1].transpose(2, 3)) / std::sqrt(kWidth / kHeads)).softmax(-1);
    return Apply(weights.matmul(qkv[2]).transpose(1, 2).flatten(2), block + "attn.proj");
  }

  const Parameters& parameters_;
};

TEST(VitEncoderTest, EqualsTheEncoderByTheBook) {
  Parameters parameters(1);
  const auto encoder = MakeEncoder(TinySpec(), {3, kImagePx, kImagePx}, &parameters);
  parameters.To(at::kCPU, at::kDouble);
  const at::Tensor images = Images(2, 0);
  const Encoding encoding = encoder->Encode(images, Plan(2));
  const at::Tensor expected = Naive(parameters).Encode(images.to(at::kDouble), Plan(2));
  EXPECT_LT((encoding.class_BD - expected.select(1, 0)).abs().max().item<double>(), 1e-12);
  EXPECT_LT((encoding.visible_BKD - expected.slice(1, 1)).abs().max().item<double>(), 1e-12);
}

TEST(VitEncoderTest, WithAMaskTokenHiddenPatchesAreEncodedAtTheirPlaces) {
  Parameters parameters(1);
  const auto encoder = MakeEncoder(TinySpec(/*mask_token=*/true), {3, kImagePx, kImagePx}, &parameters);
  parameters.To(at::kCPU, at::kDouble);
  const at::Tensor images = Images(2, 0);
  EncodeOptions options;
  options.blocks = {1};
  options.class_attention = true;
  const Encoding encoding = encoder->Encode(images, Plan(2), options);
  const at::Tensor expected = Naive(parameters).Encode(images.to(at::kDouble), Plan(2));
  EXPECT_LT((encoding.class_BD - expected.select(1, 0)).abs().max().item<double>(), 1e-12);
  EXPECT_LT((encoding.visible_BKD - expected.slice(1, 1, 1 + kVisible)).abs().max().item<double>(), 1e-12);
  EXPECT_LT((encoding.hidden_BMD - expected.slice(1, 1 + kVisible)).abs().max().item<double>(), 1e-12);
  EXPECT_EQ(encoding.blocks_BND.at(1).size(1), 1 + kVisible) << "taps show visible patches";
  EXPECT_EQ(encoding.class_attention_BK.size(1), kVisible);
}

TEST(VitEncoderTest, AMaskTokenIsNotReadWhereNothingIsHidden) {
  Parameters with(1), without(1);
  const auto masked = MakeEncoder(TinySpec(/*mask_token=*/true), {3, kImagePx, kImagePx}, &with);
  const auto plain = MakeEncoder(TinySpec(), {3, kImagePx, kImagePx}, &without);
  const MaskPlan all = AllVisible(2, kPatches, at::kCPU);
  const Encoding encoding = masked->Encode(Images(2, 0), all);
  EXPECT_TRUE(at::equal(encoding.visible_BKD, plain->Encode(Images(2, 0), all).visible_BKD));
  EXPECT_FALSE(encoding.hidden_BMD.defined());
}

TEST(VitEncoderTest, AFrozenPatchEmbeddingIsDrawnAlikeAndStays) {
  EncoderSpec frozen = TinySpec();
  frozen.mutable_vit()->set_frozen_patch_embedding(true);
  Parameters with(1), without(1);
  const auto encoder = MakeEncoder(frozen, {3, kImagePx, kImagePx}, &with);
  MakeEncoder(TinySpec(), {3, kImagePx, kImagePx}, &without);
  const std::string name = "encoder.patch_embed.proj.weight";
  EXPECT_TRUE(at::equal(with.Find(name), without.Find(name)));
  EXPECT_EQ(with.all().size(), without.all().size()) << "a checkpoint has it";
  EXPECT_EQ(with.trained().size(), with.all().size() - 2) << "nobody moves it";
  encoder->Encode(Images(2, 0), Plan(2)).visible_BKD.sum().backward();
  EXPECT_FALSE(with.Find(name).grad().defined());
  EXPECT_TRUE(with.Find("encoder.norm.bias").grad().defined());
}

// Multi-crop: an encoder of the smaller size whose positions are the interpolated ones gives the same.
TEST(VitEncoderTest, OfImagesOfAnotherSizePositionsAreInterpolated) {
  EncoderSpec spec = TinySpec();
  spec.mutable_vit()->set_positions(POSITIONS_LEARNED);
  Parameters parameters(1), small_parameters(1);
  const auto encoder = MakeEncoder(spec, {3, kImagePx, kImagePx}, &parameters);
  const auto small = MakeEncoder(spec, {3, 16, 24}, &small_parameters);
  {
    const at::NoGradGuard no_grad;
    const at::Tensor positions = parameters.Find("encoder.pos_embed");
    small_parameters.Find("encoder.pos_embed").copy_(InterpolatePositions(positions, {4, 4, 8}, {2, 3, 8}));
  }
  const at::Tensor images = Images(2, 0).slice(2, 0, 16).slice(3, 0, 24);
  const MaskPlan all = AllVisible(2, 6, at::kCPU);
  const at::Tensor tokens = encoder->Encode(images, all).visible_BKD;
  EXPECT_TRUE(at::equal(tokens, small->Encode(images, all).visible_BKD));
  tokens.square().sum().backward();
  EXPECT_GT(parameters.Find("encoder.pos_embed").grad().abs().max().item<double>(), 0)
      << "learned positions learn from small views too";
}

TEST(VitEncoderTest, BFloat16ProductsStayNearFloat32) {
  Parameters exact(1), rounded(1, Products::kBFloat16);
  const at::Tensor images = Images(2, 0);
  const at::Tensor want = MakeEncoder(TinySpec(), {3, kImagePx, kImagePx}, &exact)->Encode(images, Plan(2)).visible_BKD;
  const auto encoder = MakeEncoder(TinySpec(), {3, kImagePx, kImagePx}, &rounded);
  const at::Tensor got = encoder->Encode(images, Plan(2)).visible_BKD;
  EXPECT_EQ(got.scalar_type(), at::kFloat);
  const double error = (got - want).abs().max().item<double>();
  EXPECT_GT(error, 0);     // it did round
  EXPECT_LT(error, 0.08);  // values of a normalised token are about 1; bfloat16 keeps 8 bits
  got.sum().backward();
  EXPECT_EQ(rounded.Find("encoder.blocks.0.attn.qkv.weight").grad().scalar_type(), at::kFloat);
}

TEST(VitEncoderTest, PermutingTheBatchPermutesTheResult) {
  Parameters parameters(1);
  const auto encoder = MakeEncoder(TinySpec(), {3, kImagePx, kImagePx}, &parameters);
  const MaskPlan plan = Plan(2);
  const at::Tensor images = Images(2, 0);
  const at::Tensor forward = encoder->Encode(images, plan).visible_BKD;
  const at::Tensor backward =
      encoder->Encode(images.flip(0), {plan.visible_BK.flip(0), plan.hidden_BM.flip(0)}).visible_BKD;
  EXPECT_LT((forward.flip(0) - backward).abs().max().item<float>(), 1e-5f);
}

TEST(VitEncoderTest, NamesAreTimms) {
  Parameters parameters(1);
  MakeEncoder(TinySpec(), {3, kImagePx, kImagePx}, &parameters);
  EXPECT_EQ(parameters.all().size(), 3u + 2 * 12 + 2);
  EXPECT_EQ(parameters.all()[0].first, "encoder.cls_token");
  EXPECT_EQ(parameters.Find("encoder.patch_embed.proj.weight").sizes(), (std::vector<int64_t>{kWidth, 3, 8, 8}));
  EXPECT_EQ(parameters.Find("encoder.blocks.1.attn.qkv.weight").sizes(), (std::vector<int64_t>{3 * kWidth, kWidth}));
  EXPECT_EQ(parameters.all().back().first, "encoder.norm.bias");
}

// QuickGELU of OpenAI's CLIP and the exact GELU, at -2, -1, 1 and 2.
TEST(ActivateTest, GoldenValues) {
  const at::Tensor x = at::tensor({-2.0, -1.0, 1.0, 2.0}, at::kDouble);
  const at::Tensor quick = at::tensor({-0.06434138, -0.15420423, 0.84579577, 1.93565862}, at::kDouble);
  const at::Tensor exact = at::tensor({-0.04550026, -0.15865525, 0.84134475, 1.95449974}, at::kDouble);
  EXPECT_LT((Activate(x, ACTIVATION_QUICK_GELU) - quick).abs().max().item<double>(), 1e-8);
  EXPECT_LT((Activate(x, ACTIVATION_GELU) - exact).abs().max().item<double>(), 1e-8);
}

TEST(TransformerBlockTest, WantedRowsEqualThoseOfTheWholeBlock) {
  Parameters parameters(2);
  const TransformerBlock block("block", {kWidth, kHeads, 4 * kWidth}, &parameters);
  parameters.To(at::kCPU, at::kDouble);
  const at::Tensor x = at::sin(at::arange(2 * 7 * kWidth, at::kDouble)).view({2, 7, kWidth});
  const at::Tensor all = block.Forward(x);
  all.slice(1, 3).square().sum().backward();
  std::vector<at::Tensor> gradients;
  for (const auto& [name, parameter] : parameters.all()) {
    gradients.push_back(parameter.grad().clone());
    parameter.mutable_grad().reset();
  }
  const at::Tensor wanted = block.Forward(x, 3);
  EXPECT_LT((wanted - all.slice(1, 3)).abs().max().item<double>(), 1e-12);
  wanted.square().sum().backward();
  for (size_t i = 0; i < gradients.size(); ++i) {
    EXPECT_LT((parameters.all()[i].second.grad() - gradients[i]).abs().max().item<double>(), 1e-11)
        << parameters.all()[i].first;
  }
}

}  // namespace
}  // namespace mimeo
