// The layers of MCMAE's convolution stages (arXiv 2205.03892; Alpha-VL/ConvMAE, models_convmae.py and
// vision_transformer.py), on channel-last features, where a 1 x 1 convolution is a linear product. Each layer adds its
// parameters at construction under `name`, and keeps handles to them. They are values. One thread at a time.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "model/parameters.h"
#include "model/stage_places.h"
#include "model/transformer.h"

namespace mimeo {

// A convolution whose stride is its side: (N, h, w, in) -> (N, h / side, w / side, out). The result is bfloat16 where
// the parameters compute their products so (Products). REQUIRES: `side` divides h and w.
class StridedConvolution {
 public:
  // The bias starts as torch's convolutions start it, and the weight as `weight_init` says.
  StridedConvolution(const std::string& name, int64_t in, int64_t out, int64_t side, Parameters* parameters,
                     Init weight_init = Init::kConvDefault);
  at::Tensor operator()(const at::Tensor& x_NHWC) const;

 private:
  int64_t side_;
  Products products_;
  at::Tensor weight_;  // (out, in, side, side)
  at::Tensor bias_;
};

// Convolution, norm and GELU, under the names proj and norm. The result has the type of what came in.
class PatchEmbedding {
 public:
  PatchEmbedding(const std::string& name, int64_t in, int64_t width, int64_t side, Parameters* parameters,
                 Init weight_init = Init::kConvDefault);
  at::Tensor operator()(const at::Tensor& x_NHWC) const;

 private:
  StridedConvolution proj_;
  LayerNorm norm_;
};

// x + conv2(depthwise5x5(conv1(Norm(x)))), and then x + Mlp(Norm(x)): MCMAE's CBlock, with its names norm1, conv1,
// conv2, attn (which is the depthwise convolution), norm2, mlp.fc1 and mlp.fc2. The depthwise convolution sees zeros at
// hidden places, so nothing flows from a hidden patch into a visible one.
class ConvolutionBlock {
 public:
  ConvolutionBlock(const std::string& name, int64_t width, int64_t mlp_width, Parameters* parameters);
  // Where `branch_scale_B2` is defined, its columns multiply each image's two branches.
  at::Tensor Forward(const at::Tensor& x_NHWC, const StagePlaces& places, const at::Tensor& branch_scale_B2) const;

 private:
  // The 5 x 5 convolution of each channel by itself, over the canvas (model/stage_places.h).
  at::Tensor Depthwise(const at::Tensor& canvas_BHWC) const;

  LayerNorm norm1_;
  StridedConvolution conv1_;
  StridedConvolution conv2_;
  at::Tensor depthwise_weight_;  // (C, 1, 5, 5)
  at::Tensor depthwise_bias_;
  LayerNorm norm2_;
  StridedConvolution fc1_;
  StridedConvolution fc2_;
};

// The sizes of one stage. "Place" is one position of its features; a patch covers a square of places.
struct ConvStageShape {
  int64_t in = 0;          // channels that come in
  int64_t embed_side = 0;  // by how much the patch embedding shrinks
  int64_t width = 0;
  int64_t mlp_width = 0;
  int depth = 0;
  int64_t tile_side = 0;     // places of a patch along a side, after the embedding
  int64_t output_width = 0;  // of what is added to the encoder's output
};

// One stage: the patch embedding, its blocks, and the convolution that takes its features to the encoder's output.
// Their names are encoder.patch_embedI, encoder.blocksI.J and encoder.stageI_output_decode, where I is the stage's
// number from 1.
class ConvStage {
 public:
  ConvStage(int number, const ConvStageShape& shape, Parameters* parameters);

  // (N, h, w, in) -> (N, h / embed_side, w / embed_side, width). Where `drop_path_BR` is defined, the blocks' branches
  // are its columns [first_branch, first_branch + 2 * depth).
  at::Tensor Forward(const at::Tensor& x_NHWC, const StagePlaces& places, const at::Tensor& drop_path_BR,
                     int64_t first_branch) const;

  // Takes what Forward gave to (B, K, output_width): each visible patch's features as one token.
  at::Tensor Output(const at::Tensor& x_NHWC, const StagePlaces& places) const;

  int depth() const { return static_cast<int>(blocks_.size()); }

 private:
  // In the order of the forward pass, in which parameters are added.
  PatchEmbedding embedding_;
  std::vector<ConvolutionBlock> blocks_;
  std::vector<StridedConvolution> output_;  // one; made after the blocks, in order of the forward pass
};

}  // namespace mimeo
