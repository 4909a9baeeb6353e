// DINO's head (facebookresearch/dino, vision_transformer.py, DINOHead): linear layers with GELU between them, whose
// output is scaled to length 1, and its products with prototypes of length 1. One thread at a time.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "model/parameters.h"
#include "objective/projection_head.h"
#include "proto/job.pb.h"

namespace mimeo {

class PrototypeHead {
 public:
  // Adds ProjectionHead's parameters under PREFIXhead. and PREFIXprototypes, (P, bottleneck). Only the direction of a
  // prototype's row counts, which is weight normalisation with a fixed gain. So weight decay changes nothing that the
  // head computes. P is the number of prototypes, and E the width of the bottleneck.
  PrototypeHead(const SelfDistillationSpec& spec, int64_t width, const std::string& prefix, Parameters* parameters);

  struct Output {
    at::Tensor bottleneck_NE;  // of length 1
    at::Tensor scores_NP;      // cosines with the prototypes, in [-1, 1]; float32 or wider
  };
  // With `frozen_prototypes` their gradient is 0 in place of absent: then the ranks sum the same tensors at every step.
  // The optimizer leaves them alone.
  Output Forward(const at::Tensor& x_NX, bool frozen_prototypes) const;

 private:
  const Products products_;
  const ProjectionHead layers_;
  const at::Tensor prototypes_PE_;
};

}  // namespace mimeo
