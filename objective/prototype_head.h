// DINO's head (facebookresearch/dino, vision_transformer.py, DINOHead): linear layers with GELU between them, their
// output scaled to length 1, and its products with prototypes of length 1. One thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "model/parameters.h"
#include "objective/projection_head.h"
#include "proto/job.pb.h"

namespace mimeo {

class PrototypeHead {
 public:
  // Adds ProjectionHead's parameters under PREFIXhead. and PREFIXprototypes, (P, bottleneck), whose rows count by
  // direction alone (weight normalisation with fixed gain), so that weight decay changes nothing about them.
  PrototypeHead(const SelfDistillationSpec& spec, int64_t width, const std::string& prefix, Parameters* parameters);

  struct Output {
    at::Tensor bottleneck_NE;  // of length 1
    at::Tensor scores_NP;      // cosines with the prototypes; float32 or wider
  };
  // With `frozen_prototypes` their gradient is 0, not absent: the ranks sum what they always sum. The optimizer leaves
  // them alone.
  Output Forward(const at::Tensor& x_NX, bool frozen_prototypes) const;

 private:
  const Products products_;
  const ProjectionHead layers_;
  const at::Tensor prototypes_PE_;
};

}  // namespace mimeo
