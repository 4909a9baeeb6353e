#include "model/conv_stage.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/conv2d.h>

namespace mimeo {
namespace {

// torch's nn.LayerNorm; the transformer's norms have MAE's 1e-6.
constexpr double kNormEpsilon = 1e-5;
constexpr int64_t kDepthwiseSide = 5;

// (N, h, w, C) -> (N, h / side, w / side, side * side * C), channel fastest. A view where the image is one such square.
at::Tensor Squares(const at::Tensor& x_NHWC, int64_t side) {
  if (side == 1) return x_NHWC;
  const int64_t num = x_NHWC.size(0), height = x_NHWC.size(1) / side, width = x_NHWC.size(2) / side,
                channels = x_NHWC.size(3);
  return x_NHWC.reshape({num, height, side, width, side, channels})
      .permute({0, 1, 3, 2, 4, 5})
      .reshape({num, height, width, side * side * channels});
}

at::Tensor Scaled(const at::Tensor& branch_NHWC, const StagePlaces& places, const at::Tensor& branch_scale_B2,
                  int64_t branch) {
  return branch_scale_B2.defined() ? branch_NHWC * places.PerImage(branch_scale_B2.select(1, branch)) : branch_NHWC;
}

}  // namespace

StridedConvolution::StridedConvolution(const std::string& name, int64_t in, int64_t out, int64_t side,
                                       Parameters* parameters, Init weight_init)
    : side_(side),
      products_(parameters->products()),
      weight_(parameters->Add(name + ".weight", {out, in, side, side}, weight_init, in * side * side)),
      bias_(parameters->Add(name + ".bias", {out}, Init::kConvDefault, in * side * side)) {}

at::Tensor StridedConvolution::operator()(const at::Tensor& x_NHWC) const {
  return LinearProduct(Squares(x_NHWC, side_), weight_.permute({0, 2, 3, 1}).flatten(1), bias_, products_);
}

PatchEmbedding::PatchEmbedding(const std::string& name, int64_t in, int64_t width, int64_t side, Parameters* parameters,
                               Init weight_init)
    : proj_(name + ".proj", in, width, side, parameters, weight_init),
      norm_(name + ".norm", width, kNormEpsilon, parameters) {}

at::Tensor PatchEmbedding::operator()(const at::Tensor& x_NHWC) const {
  return Activate(norm_(proj_(x_NHWC).to(x_NHWC.scalar_type())), ACTIVATION_GELU);
}

ConvolutionBlock::ConvolutionBlock(const std::string& name, int64_t width, int64_t mlp_width, Parameters* parameters)
    : norm1_(name + ".norm1", width, kNormEpsilon, parameters),
      conv1_(name + ".conv1", width, width, 1, parameters),
      conv2_(name + ".conv2", width, width, 1, parameters),
      depthwise_weight_(parameters->Add(name + ".attn.weight", {width, 1, kDepthwiseSide, kDepthwiseSide},
                                        Init::kConvDefault, kDepthwiseSide * kDepthwiseSide)),
      depthwise_bias_(
          parameters->Add(name + ".attn.bias", {width}, Init::kConvDefault, kDepthwiseSide * kDepthwiseSide)),
      norm2_(name + ".norm2", width, kNormEpsilon, parameters),
      fc1_(name + ".mlp.fc1", width, mlp_width, 1, parameters),
      fc2_(name + ".mlp.fc2", mlp_width, width, 1, parameters) {}

// In the arithmetic of the product that it follows. The permuted canvas is what torch calls channels_last, and so is
// the result.
at::Tensor ConvolutionBlock::Depthwise(const at::Tensor& canvas_BHWC) const {
  const at::ScalarType type = canvas_BHWC.scalar_type();
  return at::conv2d(canvas_BHWC.permute({0, 3, 1, 2}), depthwise_weight_.to(type), depthwise_bias_.to(type),
                    /*stride=*/1,
                    /*padding=*/kDepthwiseSide / 2, /*dilation=*/1, /*groups=*/canvas_BHWC.size(3))
      .permute({0, 2, 3, 1});
}

at::Tensor ConvolutionBlock::Forward(const at::Tensor& x_NHWC, const StagePlaces& places,
                                     const at::Tensor& branch_scale_B2) const {
  const at::Tensor mixed = places.Collect(Depthwise(places.Spread(conv1_(norm1_(x_NHWC)))));
  const at::Tensor x = x_NHWC + Scaled(conv2_(mixed), places, branch_scale_B2, 0);
  return x + Scaled(fc2_(Activate(fc1_(norm2_(x)), ACTIVATION_GELU)), places, branch_scale_B2, 1);
}

ConvStage::ConvStage(int number, const ConvStageShape& shape, Parameters* parameters)
    : embedding_("encoder.patch_embed" + std::to_string(number), shape.in, shape.width, shape.embed_side, parameters) {
  const std::string prefix = "encoder.blocks" + std::to_string(number) + ".";
  blocks_.reserve(shape.depth);
  for (int i = 0; i < shape.depth; ++i) {
    blocks_.emplace_back(prefix + std::to_string(i), shape.width, shape.mlp_width, parameters);
  }
  output_.emplace_back("encoder.stage" + std::to_string(number) + "_output_decode", shape.width, shape.output_width,
                       shape.tile_side, parameters);
}

at::Tensor ConvStage::Forward(const at::Tensor& x_NHWC, const StagePlaces& places, const at::Tensor& drop_path_BR,
                              int64_t first_branch) const {
  at::Tensor x = embedding_(x_NHWC);
  for (int i = 0; i < depth(); ++i) {
    at::Tensor branches_B2;
    if (drop_path_BR.defined()) branches_B2 = drop_path_BR.narrow(1, first_branch + 2 * i, 2);
    x = blocks_[i].Forward(x, places, branches_B2);
  }
  return x;
}

at::Tensor ConvStage::Output(const at::Tensor& x_NHWC, const StagePlaces& places) const {
  return places.VisibleTokens(output_.front()(x_NHWC));
}

}  // namespace mimeo
