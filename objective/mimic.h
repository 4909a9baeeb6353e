// Make tokens match a frozen teacher's (MR-MAE, arXiv 2303.05475: the mimic loss on visible tokens at the encoder's
// output; what it sets beside that, features as the decoder's target at hidden places). One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/transformer.h"
#include "objective/objective.h"

namespace mimeo {

class VitDecoder;

// (B, N): the patches whose teacher tokens a mimic of `tokens` is compared with, in its order: visible before hidden.
at::Tensor MimickedPatches(const MaskPlan& plan, MimicTokens tokens);

// The mean over encodings of MimicLoss. Parameters: for hidden tokens those of VitDecoder under PREFIX, for visible
// ones PREFIXhead.{weight, bias}, D -> T; with fusion also PREFIXfusion.weight, one per block from 1 / count, and each
// block's own PREFIXfusion.norm<block>.{weight, bias}, epsilon 1e-6.
class Mimic final : public Objective {
 public:
  // `spec` has a mimic.
  Mimic(const ObjectiveSpec& spec, const Encoder& encoder, int teacher_width, const std::string& prefix,
        Parameters* parameters);

  Needs needs() const override { return {/*shared_target=*/false, /*average_targets=*/false, blocks_}; }
  // CHECK: every view has this objective's teacher tokens.
  LossTerm Compute(const ForwardPass& pass) const override;
  ~Mimic() override;

 private:
  // (B, K or 1 + K, D): what the head sees.
  at::Tensor StudentTokens(const Encoding& encoding) const;
  // (B, [1 +] N, T), N as MimickedPatches.
  at::Tensor Predict(const Encoding& encoding, const MaskPlan& plan) const;

  const std::string name_;
  const MimicSpec spec_;
  const bool encoder_has_class_token_;
  const std::vector<int> blocks_;  // none: no fusion
  at::Tensor fusion_weight_;       // undefined: no fusion
  std::vector<LayerNorm> fusion_norms_;
  std::optional<Linear> head_;           // of visible tokens
  std::unique_ptr<VitDecoder> decoder_;  // of hidden ones; null: none are mimicked
};

}  // namespace mimeo
