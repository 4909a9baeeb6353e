// The transformer blocks of an encoder, one after the other, and what a caller wants of them on the way. An encoder
// owns its stack. One thread at a time.
#pragma once

#include <string>
#include <vector>

#include "model/encoder.h"
#include "model/parameters.h"
#include "model/transformer.h"

namespace mimeo {

class BlockStack {
 public:
  // Adds the parameters PREFIX0.norm1.weight and so on, up to those of PREFIX<depth - 1>.
  BlockStack(const std::string& prefix, int depth, const BlockShape& shape, Parameters* parameters);

  // How many tokens there are beside the visible patches. A class token (0 or 1) and then the registers stand before
  // them, and tokens of hidden patches stand after them. What Forward puts into blocks_BND and class_attention_BK
  // leaves out registers and hidden patches.
  struct Extra {
    int64_t class_tokens = 0;
    int64_t registers = 0;
    int64_t hidden = 0;
  };
  // (B, N, D) -> (B, N, D). Fills blocks_BND and class_attention_BK of `encoding` as `options` asks. Each block has two
  // residual branches; together they are the columns [first_branch, first_branch + 2 * depth) of options.drop_path_BR.
  at::Tensor Forward(at::Tensor x_BND, const Extra& extra, const EncodeOptions& options, int64_t first_branch,
                     Encoding* encoding) const;

  int depth() const { return static_cast<int>(blocks_.size()); }

 private:
  std::vector<TransformerBlock> blocks_;
};

// The rates at which residual branches are dropped: linear from 0 for the first of `num` blocks to `rate` for the last
// (timm's drop_path). A block has two branches, so each rate stands twice. A single block has `rate`.
std::vector<double> DropPathRates(double rate, int num);

}  // namespace mimeo
