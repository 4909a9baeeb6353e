// The loss terms as pure functions of tensors. Each is a float32 scalar (float64 where the prediction is), the mean
// over this rank's rows.
#pragma once

#include <ATen/core/Tensor.h>

#include "proto/job.pb.h"

namespace mimeo {

// Half-precision tensors are compared in float32; float64 stays float64.
at::Tensor AtLeastFloat(const at::Tensor& x);

// Each vector of the last dimension to length 1; what is shorter than 1e-12 is divided by that
// (torch.nn.functional.normalize).
at::Tensor UnitLength(const at::Tensor& x);

// Mean over the hidden patches' values of the squared (MAE, models_mae.py forward_loss) or absolute difference: (B, M,
// P) both. No gradient reaches the target.
at::Tensor ReconstructionLoss(const at::Tensor& predicted_BMP, const at::Tensor& target_BMP, PixelDistance distance);

// Between the student head's output and the teacher's tokens, (B, N, T) both. The teacher alone is normalised: whitened
// is layer norm without affine over T, epsilon 1e-5 (methods as MaskAlign, models_pretrain.py). Squared and smooth-L1
// distances are means over values, the cosine distance over tokens. No gradient reaches the teacher.
at::Tensor MimicLoss(const at::Tensor& student_BNT, const at::Tensor& teacher_BNT, MimicDistance distance,
                     TeacherNorm norm);

// Embeddings of unit length. Among the candidates, anchor i's image's other view stands at positive_N[i], and where
// anchors are candidates too, i itself at self_N[i].
struct ContrastRows {
  at::Tensor anchors_NE;     // this rank's
  at::Tensor candidates_RE;  // the contrast group's
  at::Tensor self_N;         // int64; undefined: no anchor is a candidate
  at::Tensor positive_N;     // int64
};

// NT-Xent (SimCLR, arXiv 2002.05709, equation 1; where no anchor is a candidate, MoCo's InfoNCE, arXiv 1911.05722): the
// mean over anchors of -log(exp(s_positive / t) / sum over all candidates but the anchor itself of exp(s / t)), s the
// cosine similarity.
at::Tensor InfoNce(const ContrastRows& rows, double temperature);

// Negative-free (SimSiam, arXiv 2011.10566): the mean of 2 - 2 cos(predicted, target), row by row. No gradient reaches
// the target: with one, the constant embedding is where training ends.
at::Tensor NegativeFreeLoss(const at::Tensor& predicted_NE, const at::Tensor& target_NE);

// ---- What betrays collapse, without gradient: float scalars on the device.

// The mean over dimensions of the standard deviation over rows: 0 when all rows are one, E^-1/2 when they fill the
// sphere.
at::Tensor EmbeddingStd(const at::Tensor& rows_NE);

// Wang and Isola, arXiv 2005.10242: E |z - z_positive|^2 and log E exp(-2 |z - z_other|^2), over anchors and all
// candidates but themselves (where no anchor is a candidate: but their positives). Smaller is better, both.
at::Tensor Alignment(const ContrastRows& rows);
at::Tensor Uniformity(const ContrastRows& rows);

// The share of anchors whose nearest candidate is their positive.
at::Tensor Retrieval(const ContrastRows& rows);

// exp of the entropy of the singular values, normalised to sum 1 (RankMe, arXiv 2210.02885): between 1 and E. From the
// smaller Gram matrix, of rows or of dimensions, in float64. Reading its decomposition makes a GPU wait: not for every
// step.
at::Tensor EffectiveRank(const at::Tensor& rows_NE);

}  // namespace mimeo
