#include "objective/prototype_head.h"

#include <ATen/TensorOperators.h>

#include <utility>
#include <vector>

#include "model/transformer.h"
#include "objective/losses.h"

namespace mimeo {
namespace {

ProjectionHead MakeLayers(const SelfDistillationSpec& spec, int64_t width, const std::string& prefix,
                          Parameters* parameters) {
  HeadShape shape;
  shape.widths = {width};
  for (const int hidden : spec.hidden_width()) shape.widths.push_back(hidden);
  shape.widths.push_back(spec.bottleneck_width());
  shape.activation = HeadActivation::kGelu;
  return ProjectionHead(prefix + "head.", shape, parameters);
}

}  // namespace

PrototypeHead::PrototypeHead(const SelfDistillationSpec& spec, int64_t width, const std::string& prefix,
                             Parameters* parameters)
    : products_(parameters->products()),
      layers_(MakeLayers(spec, width, prefix, parameters)),
      prototypes_PE_(
          parameters->Add(prefix + "prototypes", {spec.num_prototypes(), spec.bottleneck_width()}, Init::kNormal002)) {}

PrototypeHead::Output PrototypeHead::Forward(const at::Tensor& x_NX, bool frozen_prototypes) const {
  at::Tensor prototypes_PE = UnitLength(prototypes_PE_);
  // Not detached alone: every parameter has a gradient, and this one's is 0.
  if (frozen_prototypes) prototypes_PE = prototypes_PE.detach() + 0 * prototypes_PE_;
  Output output;
  output.bottleneck_NE = UnitLength(layers_.Forward(x_NX, RowGatherer()));
  output.scores_NP = AtLeastFloat(LinearProduct(output.bottleneck_NE, prototypes_PE, at::Tensor(), products_));
  return output;
}

}  // namespace mimeo
