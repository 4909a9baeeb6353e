#include "model/conv_vit_encoder.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "model/patches.h"
#include "model/testing/conv_vit_spec.h"

namespace mimeo {
namespace {

// Taller than wide and of two channels, so that no axis passes for another.
const ImageShape kImage = {2, 48, 32};
const PatchGrid kGrid = {6, 4, 8};
constexpr int kVisible = 7, kWidth = 16, kHeads = 2, kStageDepths[] = {2, 1}, kDepth = 2, kBlocks = 5;

EncoderSpec TinySpec(StageEvaluation stages, bool class_token = true) {
  EncoderSpec spec;
  const testing::ConvVitShape shape = {2, {8, 12}, {kStageDepths[0], kStageDepths[1]}, kWidth, kDepth, kHeads};
  *spec.mutable_conv_vit() = testing::PlainConvVit(shape, stages);
  spec.mutable_conv_vit()->set_class_token(class_token);
  return spec;
}

at::Tensor Images(int batch, double phase) {
  return at::sin(at::arange(batch * 2 * 48 * 32, at::kFloat) * 0.37 + phase).view({batch, 2, 48, 32});
}

MaskPlan Plan(int batch, int num_visible = kVisible) {
  std::vector<RandomKey> keys;
  for (int i = 0; i < batch; ++i) keys.push_back(RandomKey(5).Fold(i));
  return RandomMaskPlan(keys, kGrid.num_patches(), num_visible);
}

// `images` where visible, `others` where hidden.
at::Tensor ReplaceHidden(const at::Tensor& images, const at::Tensor& others, const MaskPlan& plan) {
  at::Tensor patches = Patchify(images, kGrid.patch_px).clone();
  const at::Tensor replacement = Patchify(others, kGrid.patch_px);
  for (int64_t b = 0; b < plan.hidden_BM.size(0); ++b) {
    patches[b].index_copy_(0, plan.hidden_BM[b], replacement[b].index_select(0, plan.hidden_BM[b]));
  }
  return Unpatchify(patches, kGrid);
}

double Difference(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

// The same encoder by the book: convolutions over the whole image, channels first, in double; the whole image reaches
// the first tokens, which then are chosen. `branches_BR` multiplies the residual branches.
class Naive {
 public:
  explicit Naive(const Parameters& parameters, at::Tensor branches_BR = {})
      : parameters_(parameters), branches_BR_(std::move(branches_BR)) {}

  Encoding Encode(const at::Tensor& images, const MaskPlan& plan) {
    const int64_t batch = images.size(0);
    const at::Tensor seen = at::zeros({batch, kGrid.num_patches()}, at::kDouble).scatter_(1, plan.visible_BK, 1.0);
    const at::Tensor seen_BRC = seen.view({batch, 1, kGrid.rows, kGrid.cols});
    at::Tensor x = Embed(images, "patch_embed1", 2);
    for (int i = 0; i < kStageDepths[0]; ++i) {
      x = ConvBlock(x, Enlarge(seen_BRC, 4), "blocks1." + std::to_string(i) + ".");
    }
    const at::Tensor stage1 = Conv(x, "stage1_output_decode", 4).flatten(2).transpose(1, 2);
    x = Embed(x, "patch_embed2", 2);
    for (int i = 0; i < kStageDepths[1]; ++i) {
      x = ConvBlock(x, Enlarge(seen_BRC, 2), "blocks2." + std::to_string(i) + ".");
    }
    const at::Tensor stage2 = Conv(x, "stage2_output_decode", 2).flatten(2).transpose(1, 2);
    x = Apply(Embed(x, "patch_embed3", 2).flatten(2).transpose(1, 2), "patch_embed4");
    x = TakePatches(x + SinCosPositions(kGrid, kWidth).to(at::kDouble).slice(0, 1), plan.visible_BK);
    x = at::cat({Find("cls_token").expand({batch, 1, kWidth}), x}, 1);
    Encoding encoding;
    for (int i = 0; i < kDepth; ++i) {
      x = Block(x, "blocks3." + std::to_string(i) + ".", &encoding);
      encoding.blocks_BND[i + 1] = x;
    }
    encoding.class_BD = Norm(x.select(1, 0), "norm", 1e-6);
    encoding.visible_BKD = Norm(x.slice(1, 1) + TakePatches(stage1 + stage2, plan.visible_BK), "norm", 1e-6);
    return encoding;
  }

 private:
  at::Tensor Find(const std::string& name) const { return parameters_.Find("encoder." + name); }
  at::Tensor Apply(const at::Tensor& x, const std::string& name) const {
    return at::linear(x, Find(name + ".weight"), Find(name + ".bias"));
  }
  at::Tensor Conv(const at::Tensor& x, const std::string& name, int stride = 1, int padding = 0,
                  int64_t groups = 1) const {
    return at::conv2d(x, Find(name + ".weight"), Find(name + ".bias"), stride, padding, 1, groups);
  }
  at::Tensor Norm(const at::Tensor& x, const std::string& name, double epsilon) const {
    return at::layer_norm(x, {x.size(-1)}, Find(name + ".weight"), Find(name + ".bias"), epsilon);
  }
  at::Tensor ChannelNorm(const at::Tensor& x, const std::string& name) const {
    return Norm(x.permute({0, 2, 3, 1}), name, 1e-5).permute({0, 3, 1, 2});
  }
  at::Tensor Embed(const at::Tensor& x, const std::string& name, int side) const {
    return at::gelu(ChannelNorm(Conv(x, name + ".proj", side), name + ".norm"));
  }
  static at::Tensor Enlarge(const at::Tensor& seen, int64_t side) {
    return seen.repeat_interleave(side, 2).repeat_interleave(side, 3);
  }
  at::Tensor Branch(const at::Tensor& y) {
    if (!branches_BR_.defined()) return y;
    std::vector<int64_t> shape(y.dim(), 1);
    shape[0] = y.size(0);
    return y * branches_BR_.select(1, next_branch_++).to(at::kDouble).view(shape);
  }
  at::Tensor ConvBlock(at::Tensor x, const at::Tensor& seen, const std::string& block) {
    const at::Tensor h = Conv(ChannelNorm(x, block + "norm1"), block + "conv1");
    x = x + Branch(Conv(Conv(h * seen, block + "attn", 1, 2, h.size(1)), block + "conv2"));
    return x + Branch(Conv(at::gelu(Conv(ChannelNorm(x, block + "norm2"), block + "mlp.fc1")), block + "mlp.fc2"));
  }
  at::Tensor Block(at::Tensor x, const std::string& block, Encoding* encoding) {
    const at::Tensor qkv = Apply(Norm(x, block + "norm1", 1e-6), block + "attn.qkv")
                               .view({x.size(0), x.size(1), 3, kHeads, kWidth / kHeads})
                               .permute({2, 0, 3, 1, 4});
    const at::Tensor weights = (qkv[0].matmul(qkv[1].transpose(2, 3)) / std::sqrt(kWidth / kHeads)).softmax(-1);
    encoding->class_attention_BK = weights.select(2, 0).mean(1).slice(1, 1);
    x = x + Branch(Apply(weights.matmul(qkv[2]).transpose(1, 2).flatten(2), block + "attn.proj"));
    return x + Branch(Apply(at::gelu(Apply(Norm(x, block + "norm2", 1e-6), block + "mlp.fc1")), block + "mlp.fc2"));
  }

  const Parameters& parameters_;
  const at::Tensor branches_BR_;
  int64_t next_branch_ = 0;
};

class EachEvaluation : public ::testing::TestWithParam<StageEvaluation> {};
INSTANTIATE_TEST_SUITE_P(Stages, EachEvaluation, ::testing::Values(STAGES_DENSE, STAGES_AT_VISIBLE_TILES),
                         [](const auto& info) { return StageEvaluation_Name(info.param); });

TEST_P(EachEvaluation, HiddenPixelsDoNotMatter) {
  for (const Products products : {Products::kAsStored, Products::kBFloat16}) {
    Parameters parameters(1, products);
    const auto encoder = MakeEncoder(TinySpec(GetParam()), kImage, &parameters);
    const MaskPlan plan = Plan(3);
    const at::Tensor images = Images(3, 0);
    const Encoding encoding = encoder->Encode(images, plan);
    for (const at::Tensor& others : {Images(3, 2), at::full({3, 2, 48, 32}, std::numeric_limits<float>::quiet_NaN())}) {
      const Encoding other = encoder->Encode(ReplaceHidden(images, others, plan), plan);
      EXPECT_TRUE(at::equal(other.visible_BKD, encoding.visible_BKD));
      EXPECT_TRUE(at::equal(other.class_BD, encoding.class_BD));
      other.visible_BKD.sin().sum().backward();
      for (const auto& [name, tensor] : parameters.all()) {
        EXPECT_FALSE(tensor.grad().isnan().any().item<bool>()) << name;
      }
    }
    EXPECT_FALSE(at::equal(encoder->Encode(Images(3, 2), plan).visible_BKD, encoding.visible_BKD));
  }
}

TEST_P(EachEvaluation, EqualsTheEncoderByTheBook) {
  for (const int num_visible : {kVisible, kGrid.num_patches()}) {
    Parameters parameters(1);
    const auto encoder = MakeEncoder(TinySpec(GetParam()), kImage, &parameters);
    parameters.To(at::kCPU, at::kDouble);
    const MaskPlan plan = Plan(2, num_visible);
    EncodeOptions options;
    options.blocks = {1, kDepth};
    options.class_attention = true;
    const Encoding encoding = encoder->Encode(Images(2, 0), plan, options);
    const Encoding expected = Naive(parameters).Encode(Images(2, 0).to(at::kDouble), plan);
    EXPECT_LT(Difference(encoding.visible_BKD, expected.visible_BKD), 1e-12);
    EXPECT_LT(Difference(encoding.class_BD, expected.class_BD), 1e-12);
    EXPECT_LT(Difference(encoding.class_attention_BK, expected.class_attention_BK), 1e-12);
    for (const int block : options.blocks) {
      EXPECT_LT(Difference(encoding.blocks_BND.at(block), expected.blocks_BND.at(block)), 1e-12);
    }
  }
}

TEST_P(EachEvaluation, DropPathScalesTheBranchesInOrder) {
  EncoderSpec spec = TinySpec(GetParam());
  spec.mutable_conv_vit()->set_drop_path(0.4);
  Parameters parameters(1);
  const auto encoder = MakeEncoder(spec, kImage, &parameters);
  const std::vector<double> rates = encoder->drop_path_rates();
  ASSERT_EQ(rates.size(), 2u * kBlocks);
  for (size_t r = 0; r < rates.size(); ++r) {
    EXPECT_NEAR(rates[r], 0.4 * static_cast<double>(r / 2) / (kBlocks - 1), 1e-12);
  }
  parameters.To(at::kCPU, at::kDouble);
  EncodeOptions options;
  options.drop_path_BR = at::arange(2 * 2 * kBlocks, at::kFloat).view({2, 2 * kBlocks}).remainder(7) / 3;  // some are 0
  const Encoding encoding = encoder->Encode(Images(2, 0), Plan(2), options);
  const Encoding expected = Naive(parameters, options.drop_path_BR).Encode(Images(2, 0).to(at::kDouble), Plan(2));
  EXPECT_LT(Difference(encoding.visible_BKD, expected.visible_BKD), 1e-12);
  EXPECT_LT(Difference(encoding.class_BD, expected.class_BD), 1e-12);
}

TEST_P(EachEvaluation, PermutingTheBatchPermutesTheResult) {
  Parameters parameters(1);
  const auto encoder = MakeEncoder(TinySpec(GetParam()), kImage, &parameters);
  const MaskPlan plan = Plan(2);
  const at::Tensor forward = encoder->Encode(Images(2, 0), plan).visible_BKD;
  const at::Tensor backward =
      encoder->Encode(Images(2, 0).flip(0), {plan.visible_BK.flip(0), plan.hidden_BM.flip(0)}).visible_BKD;
  EXPECT_LT(Difference(forward.flip(0), backward), 1e-5);
}

TEST_P(EachEvaluation, BFloat16ProductsStayNearFloat32) {
  Parameters exact(1), rounded(1, Products::kBFloat16);
  const at::Tensor want = MakeEncoder(TinySpec(GetParam()), kImage, &exact)->Encode(Images(2, 0), Plan(2)).visible_BKD;
  const auto encoder = MakeEncoder(TinySpec(GetParam()), kImage, &rounded);
  const at::Tensor got = encoder->Encode(Images(2, 0), Plan(2)).visible_BKD;
  EXPECT_EQ(got.scalar_type(), at::kFloat);
  EXPECT_GT(Difference(got, want), 0);     // it did round
  EXPECT_LT(Difference(got, want), 0.08);  // values of a normalised token are about 1; bfloat16 keeps 8 bits
  got.sin().sum().backward();
  EXPECT_EQ(rounded.Find("encoder.blocks1.0.attn.weight").grad().scalar_type(), at::kFloat);
}

// Loss and gradients of one evaluation; the class token takes part where there is one.
std::vector<at::Tensor> Gradients(StageEvaluation stages, bool class_token) {
  Parameters parameters(1);
  const auto encoder = MakeEncoder(TinySpec(stages, class_token), kImage, &parameters);
  parameters.To(at::kCPU, at::kDouble);
  const Encoding encoding = encoder->Encode(Images(3, 0), Plan(3));
  EXPECT_EQ(encoding.class_BD.defined(), class_token);
  EXPECT_EQ(encoder->has_class_token(), class_token);
  const at::Tensor& x = encoding.visible_BKD;
  // Not the sum of squares, which is constant behind a norm.
  at::Tensor loss = (x * at::sin(at::arange(x.numel(), at::kDouble)).view(x.sizes())).sum();
  if (class_token) loss = loss + encoding.class_BD.select(1, 3).sum();
  loss.backward();
  std::vector<at::Tensor> gradients = {loss.detach()};
  for (const auto& [name, tensor] : parameters.all()) gradients.push_back(tensor.grad());
  return gradients;
}

TEST(ConvVitEncoderTest, VisibleTilesEqualTheWholeImage) {
  for (const bool class_token : {false, true}) {
    const std::vector<at::Tensor> dense = Gradients(STAGES_DENSE, class_token);
    const std::vector<at::Tensor> tiles = Gradients(STAGES_AT_VISIBLE_TILES, class_token);
    ASSERT_EQ(dense.size(), tiles.size());
    for (size_t i = 0; i < dense.size(); ++i) {
      EXPECT_LT(Difference(dense[i], tiles[i]), 1e-11) << i;
      EXPECT_GT(dense[i].abs().max().item<double>(), 0) << i;
    }
  }
}

// Counts by module of MCMAE-B (Alpha-VL/ConvMAE): 84.61 M with positions, and the two fusion convolutions. Nothing is
// initialised, so the memory is never touched.
TEST(ConvVitEncoderTest, NamesAndCountsAreMcmaes) {
  EncoderSpec spec;
  *spec.mutable_conv_vit() = testing::PlainConvVit({}, STAGES_DENSE);
  Parameters parameters = Parameters::Unset();
  MakeEncoder(spec, {3, 224, 224}, &parameters);
  std::map<std::string, int64_t> counts;
  int64_t total = 0;
  for (const auto& [name, tensor] : parameters.all()) {
    ASSERT_EQ(name.rfind("encoder.", 0), 0u) << name;
    counts[name.substr(8, name.find('.', 8) - 8)] += tensor.numel();
    total += tensor.numel();
  }
  const std::map<std::string, int64_t> expected = {{"patch_embed1", 13056},
                                                   {"blocks1", 1329664},
                                                   {"patch_embed2", 394368},
                                                   {"blocks2", 2977536},
                                                   {"patch_embed3", 1181952},
                                                   {"patch_embed4", 590592},
                                                   {"blocks3", 77966592},
                                                   {"norm", 1536},
                                                   {"stage1_output_decode", 3146496},
                                                   {"stage2_output_decode", 1180416}};
  EXPECT_EQ(counts, expected);
  EXPECT_EQ(total, 84455296 + 3146496 + 1180416);
  EXPECT_EQ(parameters.Find("encoder.pos_embed").sizes(), (std::vector<int64_t>{197, 768}));
  EXPECT_EQ(parameters.Find("encoder.pos_embed")[0].abs().max().item<float>(), 0);
  const std::map<std::string, std::vector<int64_t>> shapes = {{"patch_embed1.proj.weight", {256, 3, 4, 4}},
                                                              {"patch_embed1.norm.weight", {256}},
                                                              {"patch_embed2.proj.weight", {384, 256, 2, 2}},
                                                              {"patch_embed4.weight", {768, 768}},
                                                              {"blocks1.0.norm1.bias", {256}},
                                                              {"blocks1.0.conv1.weight", {256, 256, 1, 1}},
                                                              {"blocks1.1.attn.weight", {256, 1, 5, 5}},
                                                              {"blocks1.0.conv2.bias", {256}},
                                                              {"blocks1.0.norm2.weight", {256}},
                                                              {"blocks2.0.mlp.fc1.weight", {1536, 384, 1, 1}},
                                                              {"blocks2.1.mlp.fc2.weight", {384, 1536, 1, 1}},
                                                              {"stage1_output_decode.weight", {768, 256, 4, 4}},
                                                              {"blocks3.10.attn.qkv.weight", {2304, 768}}};
  for (const auto& [name, shape] : shapes) EXPECT_EQ(parameters.Find("encoder." + name).sizes(), shape) << name;
}

TEST(ConvVitEncoderTest, EachKindOfParameterStartsAsMcmaes) {
  Parameters parameters(1);
  MakeEncoder(TinySpec(STAGES_DENSE), kImage, &parameters);
  const auto expect_uniform = [&](const std::string& name, double bound) {
    const double largest = parameters.Find("encoder." + name).abs().max().item<double>();
    EXPECT_LE(largest, bound) << name;
    EXPECT_GT(largest, 0.7 * bound) << name;
  };
  // torch's default for convolutions, weight and bias alike: 1 / sqrt(fan-in).
  const std::map<std::string, double> fan_ins = {{"patch_embed1.proj", 2 * 2 * 2},
                                                 {"patch_embed2.proj", 8 * 2 * 2},
                                                 {"blocks1.0.conv1", 8},
                                                 {"blocks1.1.conv2", 8},
                                                 {"blocks1.0.attn", 25},
                                                 {"blocks2.0.attn", 25},
                                                 {"blocks2.0.mlp.fc1", 12},
                                                 {"blocks2.0.mlp.fc2", 48},
                                                 {"stage1_output_decode", 8 * 4 * 4},
                                                 {"stage2_output_decode", 12 * 2 * 2}};
  for (const auto& [name, fan_in] : fan_ins) {
    expect_uniform(name + ".weight", 1 / std::sqrt(fan_in));
    expect_uniform(name + ".bias", 1 / std::sqrt(fan_in));
  }
  expect_uniform("patch_embed3.proj.weight", std::sqrt(6.0 / (12 * 2 * 2 + kWidth)));  // xavier
  expect_uniform("patch_embed3.proj.bias", 1 / std::sqrt(12.0 * 2 * 2));
  expect_uniform("patch_embed4.weight", std::sqrt(6.0 / (2 * kWidth)));
  expect_uniform("blocks3.0.attn.qkv.weight", std::sqrt(6.0 / (4 * kWidth)));
  const double class_token =
      parameters.Find("encoder.cls_token").std().item<double>();  // of normal(0, 0.02), 16 numbers
  EXPECT_GT(class_token, 0.01);
  EXPECT_LT(class_token, 0.03);
  for (const auto& [name, tensor] : parameters.all()) {
    const bool norm = name.find("norm") != std::string::npos;
    const bool linear = name == "encoder.patch_embed4.bias" || name.rfind("encoder.blocks3.", 0) == 0;
    const bool bias = name.size() > 5 && name.compare(name.size() - 5, 5, ".bias") == 0;
    if (bias ? norm || linear : norm) {
      EXPECT_TRUE(at::equal(tensor, bias ? at::zeros(tensor.sizes()) : at::ones(tensor.sizes()))) << name;
    }
  }
}

}  // namespace
}  // namespace mimeo
