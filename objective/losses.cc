#include "objective/losses.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/l1_loss.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linalg_eigvalsh.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/mse_loss.h>
#include <ATen/ops/scatter.h>
#include <ATen/ops/smooth_l1_loss.h>

#include <cmath>
#include <limits>

namespace mimeo {
namespace {

at::Tensor Normalized(const at::Tensor& teacher_BNT, TeacherNorm norm) {
  const at::Tensor teacher = AtLeastFloat(teacher_BNT.detach());
  if (norm == TEACHER_NORM_RAW) return teacher;
  if (norm == TEACHER_NORM_L2) return UnitLength(teacher);
  return at::layer_norm(teacher, {teacher.size(-1)}, {}, {}, 1e-5);
}

// The mean over rows of 2 - 2 cos.
at::Tensor CosineDistance(const at::Tensor& x, const at::Tensor& y) {
  return 2 - 2 * (UnitLength(x) * UnitLength(y)).sum(-1).mean();
}

// Cosines of anchors and candidates.
at::Tensor Similarity(const ContrastRows& rows) {
  return at::matmul(AtLeastFloat(rows.anchors_NE), AtLeastFloat(rows.candidates_RE).t());
}

// Each anchor's own column, where it has one, to minus infinity: no candidate.
at::Tensor WithoutSelf(const at::Tensor& similarity_NR, const ContrastRows& rows) {
  if (!rows.self_N.defined()) return similarity_NR;
  return at::scatter(similarity_NR, 1, rows.self_N.unsqueeze(1), -std::numeric_limits<double>::infinity());
}

}  // namespace

at::Tensor AtLeastFloat(const at::Tensor& x) {
  return x.scalar_type() == at::kBFloat16 || x.scalar_type() == at::kHalf ? x.to(at::kFloat) : x;
}

at::Tensor UnitLength(const at::Tensor& x) {
  return x / at::linalg_vector_norm(x, 2, at::IntArrayRef{-1}, /*keepdim=*/true).clamp_min(1e-12);
}

at::Tensor ReconstructionLoss(const at::Tensor& predicted_BMP, const at::Tensor& target_BMP, PixelDistance distance) {
  const at::Tensor predicted = AtLeastFloat(predicted_BMP);
  const at::Tensor target = target_BMP.detach().to(predicted.scalar_type());
  return distance == PIXEL_DISTANCE_L1 ? at::l1_loss(predicted, target) : at::mse_loss(predicted, target);
}

at::Tensor MimicLoss(const at::Tensor& student_BNT, const at::Tensor& teacher_BNT, MimicDistance distance,
                     TeacherNorm norm) {
  const at::Tensor student = AtLeastFloat(student_BNT);
  const at::Tensor teacher = Normalized(teacher_BNT, norm).to(student.scalar_type());
  if (distance == MIMIC_DISTANCE_SMOOTH_L1) return 2 * at::smooth_l1_loss(student, teacher);
  if (distance == MIMIC_DISTANCE_COSINE) return CosineDistance(student, teacher);
  return at::mse_loss(student, teacher);
}

at::Tensor InfoNce(const ContrastRows& rows, double temperature) {
  const at::Tensor scores_NR = Similarity(rows) / temperature;
  const at::Tensor positive_N = scores_NR.gather(1, rows.positive_N.unsqueeze(1)).squeeze(1);
  // logsumexp subtracts each row's maximum first, so that no temperature overflows.
  return (at::logsumexp(WithoutSelf(scores_NR, rows), at::IntArrayRef{1}) - positive_N).mean();
}

at::Tensor NegativeFreeLoss(const at::Tensor& predicted_NE, const at::Tensor& target_NE) {
  const at::Tensor predicted = AtLeastFloat(predicted_NE);
  return CosineDistance(predicted, target_NE.detach().to(predicted.scalar_type()));
}

at::Tensor EmbeddingStd(const at::Tensor& rows_NE) {
  const at::Tensor rows = AtLeastFloat(rows_NE.detach());
  return (rows - rows.mean(0)).square().mean(0).sqrt().mean();
}

at::Tensor Alignment(const ContrastRows& rows) {
  const at::NoGradGuard no_grad;
  const at::Tensor positives = AtLeastFloat(rows.candidates_RE).index_select(0, rows.positive_N);
  return (AtLeastFloat(rows.anchors_NE) - positives).square().sum(1).mean();
}

at::Tensor Uniformity(const ContrastRows& rows) {
  const at::NoGradGuard no_grad;
  // |z - z'|^2 = 2 - 2 s on the unit sphere.
  ContrastRows others = rows;
  if (!rows.self_N.defined()) others.self_N = rows.positive_N;
  const at::Tensor exponents_NR = 4 * WithoutSelf(Similarity(rows), others) - 4;
  const double pairs =
      static_cast<double>(rows.anchors_NE.size(0)) * static_cast<double>(rows.candidates_RE.size(0) - 1);
  return at::logsumexp(exponents_NR, at::IntArrayRef{0, 1}) - std::log(pairs);
}

at::Tensor Retrieval(const ContrastRows& rows) {
  const at::NoGradGuard no_grad;
  const at::Tensor similarity_NR = WithoutSelf(Similarity(rows), rows);
  return similarity_NR.argmax(1).eq(rows.positive_N).to(similarity_NR.scalar_type()).mean();
}

at::Tensor EffectiveRank(const at::Tensor& rows_NE) {
  const at::Tensor rows = rows_NE.detach().to(at::kDouble);
  const at::Tensor gram = rows.size(0) < rows.size(1) ? at::matmul(rows, rows.t()) : at::matmul(rows.t(), rows);
  // The decomposition throws at what is not finite, and a step with such features is to be skipped, not to end the job.
  if (!at::isfinite(gram).all().item<bool>())
    return at::full({}, std::numeric_limits<double>::quiet_NaN(), gram.options());
  const at::Tensor singular_E = at::linalg_eigvalsh(gram).clamp_min(0).sqrt();
  const at::Tensor share_E = singular_E / singular_E.sum().clamp_min(1e-12);
  return (-(share_E * share_E.clamp_min(1e-300).log()).sum()).exp();
}

}  // namespace mimeo
