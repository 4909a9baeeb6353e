#include "objective/mimic.h"

#include <ATen/TensorOperators.h>

#include "objective/losses.h"

namespace mimeo {

Mimic::Mimic(const MimicSpec& spec, const Encoder& encoder, int teacher_width, const std::string& prefix,
             Parameters* parameters)
    : teacher_(spec.teacher()), head_(prefix + "head", encoder.width(), teacher_width, parameters) {}

at::Tensor Mimic::Compute(const ForwardPass& pass) const {
  at::Tensor sum;
  for (size_t v = 0; v < pass.views.size(); ++v) {
    const at::Tensor loss = MimicLoss(head_(pass.encodings[v].visible_BKD), pass.views[v].teacher_BKT.at(teacher_));
    sum = sum.defined() ? sum + loss : loss;
  }
  return sum / static_cast<double>(pass.views.size());
}

}  // namespace mimeo
