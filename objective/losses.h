// The loss terms as pure functions of tensors. Each is a float32 scalar (float64 where the prediction is), the mean over this
// rank's rows.
#pragma once

#include <ATen/core/Tensor.h>

namespace mimeo {

// Mean squared error over the hidden patches (MAE, models_mae.py forward_loss): (B, M, P) both.
at::Tensor ReconstructionLoss(const at::Tensor& predicted_BMP, const at::Tensor& target_BMP);

// Mean squared error between the student head's output and the teacher's tokens, these whitened: layer norm without affine
// over T, epsilon 1e-5 (methods as MaskAlign, models_pretrain.py). (B, K, T) both. No gradient reaches the teacher.
at::Tensor MimicLoss(const at::Tensor& student_BKT, const at::Tensor& teacher_BKT);

}  // namespace mimeo
