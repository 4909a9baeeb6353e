// Makes the encoder's tokens match those of a frozen teacher. MR-MAE (arXiv 2303.05475) puts this loss on the visible
// tokens at the encoder's output. The alternative that it compares with, the teacher's features as the decoder's target
// at hidden places, is here too. One thread at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/transformer.h"
#include "objective/objective.h"

namespace mimeo {

class VitDecoder;

// (B, N): the patches whose teacher tokens a mimic objective of this kind is compared with, in its order: visible ones
// stand before hidden ones. Whoever asks a teacher for tokens takes them by this list.
at::Tensor MimickedPatches(const MaskPlan& plan, MimicTokens tokens);

// The value is the mean of MimicLoss (losses.h) over the encodings.
//
// For hidden tokens it has the parameters of VitDecoder under PREFIX, and for visible ones PREFIXhead.{weight, bias},
// which maps D to T. If the spec names inner blocks (student_layer), their outputs are fused before the head: each goes
// through its own norm PREFIXfusion.norm<block>.{weight, bias} with epsilon 1e-6, and PREFIXfusion.weight, one number
// per block, starts as their mean.
class Mimic final : public Objective {
 public:
  // `spec` has a mimic; `teacher_width` is T, as the teacher's contract states it. The encoder is looked at and not
  // kept.
  Mimic(const ObjectiveSpec& spec, const Encoder& encoder, int teacher_width, const std::string& prefix,
        Parameters* parameters);

  Needs needs() const override { return {/*shared_target=*/false, /*average_targets=*/false, blocks_}; }
  // Every view of `pass` has teacher tokens under this objective's name; otherwise a MIMEO_CHECK fails.
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
