// The transformer blocks of an encoder, one after the other, and what is wanted of them on the way. One thread.
#pragma once

#include <string>
#include <vector>

#include "model/encoder.h"
#include "model/parameters.h"
#include "model/transformer.h"

namespace mimeo {

class BlockStack {
 public:
  // Adds PREFIX0.norm1.weight, ..., PREFIX<depth - 1>....
  BlockStack(const std::string& prefix, int depth, const BlockShape& shape, Parameters* parameters);

  // Tokens beside the visible patches: before them a class token (0 or 1), then registers; after them those of hidden
  // patches. No tap shows registers and hidden patches.
  struct Extra {
    int64_t class_tokens = 0;
    int64_t registers = 0;
    int64_t hidden = 0;
  };
  // (B, N, D) -> (B, N, D). Fills blocks_BND and class_attention_BK of `encoding` as `options` asks. The blocks'
  // branches are columns [first_branch, first_branch + 2 * depth) of options.drop_path_BR.
  at::Tensor Forward(at::Tensor x_BND, const Extra& extra, const EncodeOptions& options, int64_t first_branch,
                     Encoding* encoding) const;

  int depth() const { return static_cast<int>(blocks_.size()); }

 private:
  std::vector<TransformerBlock> blocks_;
};

// The rates of `num` residual pairs of which the last has `rate` and the first 0, linear between, each twice: a block's
// two branches (timm's drop_path).
std::vector<double> DropPathRates(double rate, int num);

}  // namespace mimeo
