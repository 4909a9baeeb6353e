// The layers that encoders and decoders share. Each adds its parameters at construction under `name`, and keeps handles
// to them. They are values. One thread at a time.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "model/parameters.h"
#include "proto/job.pb.h"

namespace mimeo {

// (..., in) -> (..., out). The result is bfloat16 where the parameters compute their products so (Products). A layer
// keeps no results between calls: autograd does, where a gradient is wanted.
class Linear {
 public:
  Linear(const std::string& name, int64_t in, int64_t out, Parameters* parameters, bool bias = true);
  at::Tensor operator()(const at::Tensor& x) const { return Rows(x, 0, weight_.size(0)); }
  // Computes the outputs [begin, end) only.
  at::Tensor Rows(const at::Tensor& x, int64_t begin, int64_t end) const;

 private:
  Products products_;
  at::Tensor weight_;
  at::Tensor bias_;  // undefined: none
};

// x W^T + b in the arithmetic of `products`. An undefined bias is left out.
at::Tensor LinearProduct(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, Products products);

// Normalises over the last dimension. `epsilon` is a part of the model: MAE's norms have 1e-6, CLIP's 1e-5.
class LayerNorm {
 public:
  LayerNorm(const std::string& name, int64_t width, double epsilon, Parameters* parameters);
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  double epsilon_;
  at::Tensor weight_;
  at::Tensor bias_;
};

// Works on each element. ACTIVATION_QUICK_GELU is OpenAI CLIP's x * sigmoid(1.702 x); GELU is the exact one, by erf.
at::Tensor Activate(const at::Tensor& x, Activation activation);

// The sizes and variations of a block. The defaults are MAE's.
struct BlockShape {
  int width = 0;
  int heads = 0;
  int mlp_width = 0;
  double norm_epsilon = 1e-6;
  Activation activation = ACTIVATION_GELU;
  bool qkv_bias = true;
  double layer_scale = 0;  // the initial value of the branches' learned scales; 0: there are none
};

// A pre-norm block: x + Attention(Norm(x)), and then x + Mlp(Norm(x)). It is timm's Block, with its names norm1,
// attn.qkv, attn.proj, ls1.gamma, norm2, mlp.fc1, mlp.fc2 and ls2.gamma. The rows of attn.qkv are [query | key |
// value].
class TransformerBlock {
 public:
  TransformerBlock(const std::string& name, const BlockShape& shape, Parameters* parameters);

  // (B, N, D) -> (B, N - first_row, D): the output's rows [first_row, N). All rows are attended to, and the rest of the
  // work is done for the wanted rows only. Where `branch_scale_B2` is defined, its columns multiply each image's two
  // branches.
  at::Tensor Forward(const at::Tensor& x_BND, int64_t first_row = 0, const at::Tensor& branch_scale_B2 = {}) const;

  // (B, N): how much row 0 attends to each row of the block's input; softmax over rows, mean over heads.
  at::Tensor FirstRowAttention(const at::Tensor& x_BND) const;

 private:
  // The block, and its two branches before they are added.
  at::Tensor Compute(const at::Tensor& x_BND, int64_t first_row, const at::Tensor& branch_scale_B2) const;
  at::Tensor Attend(const at::Tensor& x_BND, int64_t first_row) const;
  at::Tensor Mlp(const at::Tensor& x_BND) const;

  int64_t heads_;
  Activation activation_;
  LayerNorm norm1_;
  Linear qkv_;
  Linear proj_;
  LayerNorm norm2_;
  Linear fc1_;
  Linear fc2_;
  at::Tensor scale1_D_, scale2_D_;  // undefined without layer scale
  // The block's parameters, where it is computed again in the backward pass (model/recompute.h); otherwise empty.
  std::vector<at::Tensor> recomputed_;
};

}  // namespace mimeo
