#include "objective/losses.h"

#include <ATen/ops/layer_norm.h>
#include <ATen/ops/mse_loss.h>

namespace mimeo {
namespace {

// Half-precision predictions are compared in float32; float64 stays float64.
at::Tensor AtLeastFloat(const at::Tensor& x) {
  return x.scalar_type() == at::kBFloat16 || x.scalar_type() == at::kHalf ? x.to(at::kFloat) : x;
}

at::Tensor MeanSquaredError(const at::Tensor& predicted, const at::Tensor& target) {
  const at::Tensor x = AtLeastFloat(predicted);
  return at::mse_loss(x, target.detach().to(x.scalar_type()));
}

}  // namespace

at::Tensor ReconstructionLoss(const at::Tensor& predicted_BMP, const at::Tensor& target_BMP) {
  return MeanSquaredError(predicted_BMP, target_BMP);
}

at::Tensor MimicLoss(const at::Tensor& student_BKT, const at::Tensor& teacher_BKT) {
  const at::Tensor teacher = AtLeastFloat(teacher_BKT.detach());
  return MeanSquaredError(student_BKT, at::layer_norm(teacher, {teacher.size(-1)}, {}, {}, 1e-5));
}

}  // namespace mimeo
