// The terms of the loss as pure functions of tensors: any thread may call them. Each returns a scalar, the mean over
// this rank's rows, in float32, or in float64 where the prediction is float64.
#pragma once

#include <ATen/core/Tensor.h>

#include "proto/job.pb.h"

namespace mimeo {

// Half-precision tensors become float32, because a mean over many of their values would lose digits; float64 stays
// float64.
at::Tensor AtLeastFloat(const at::Tensor& x);

// Scales each vector of the last dimension to length 1. A vector shorter than 1e-12 is divided by that instead, as
// torch.nn.functional.normalize does.
at::Tensor UnitLength(const at::Tensor& x);

// The mean over the hidden patches' values of the squared difference (MAE; facebookresearch/mae, models_mae.py,
// forward_loss) or of the absolute one (SimMIM). Both tensors are (B, M, P). No gradient reaches the target.
at::Tensor ReconstructionLoss(const at::Tensor& predicted_BMP, const at::Tensor& target_BMP, PixelDistance distance);

// Compares the student head's output with the teacher's tokens; both are (B, N, T). Only the teacher is normalised;
// "whitened" is a layer norm without affine over T with epsilon 1e-5, as in MaskAlign (OpenDriveLab/maskalign,
// models_pretrain.py). Squared and smooth-L1 distances are means over values; smooth L1 is doubled, so that a small
// difference costs what it costs squared. The cosine distance, 2 - 2 cos, is a mean over tokens. No gradient reaches
// the teacher.
at::Tensor MimicLoss(const at::Tensor& student_BNT, const at::Tensor& teacher_BNT, MimicDistance distance,
                     TeacherNorm norm);

// Embeddings of unit length that are to be compared. Among the candidates, positive_N[i] is the other view of anchor
// i's image. Where the anchors are candidates too, self_N[i] is the anchor itself.
struct ContrastRows {
  at::Tensor anchors_NE;     // this rank's
  at::Tensor candidates_RE;  // the contrast group's
  at::Tensor self_N;         // int64; undefined: no anchor is a candidate
  at::Tensor positive_N;     // int64
};

// NT-Xent (SimCLR, arXiv 2002.05709, equation 1) or, where no anchor is a candidate, MoCo's InfoNCE (arXiv 1911.05722):
// the mean over anchors of -log(exp(s_positive / t) / sum of exp(s / t)). The sum is over all candidates but the anchor
// itself, s is the cosine similarity, and t is the temperature, above 0. If all R candidates are equal, it is log(R -
// 1), or log(R) where no anchor is a candidate.
at::Tensor InfoNce(const ContrastRows& rows, double temperature);

// The loss without negatives (SimSiam, arXiv 2011.10566): the mean of 2 - 2 cos(predicted, target), row by row, between
// 0 and 4. No gradient reaches the target: with one, training would end at the same embedding for all images.
at::Tensor NegativeFreeLoss(const at::Tensor& predicted_NE, const at::Tensor& target_NE);

// ---- What shows that embeddings collapse. No gradient flows; the results are scalars on the device.

// The mean over dimensions of the standard deviation over rows: 0 when all rows are equal, and E^-1/2 when rows of
// length 1 fill the sphere evenly.
at::Tensor EmbeddingStd(const at::Tensor& rows_NE);

// Alignment is E |z - z_positive|^2, and uniformity is log E exp(-2 |z - z_other|^2) (Wang and Isola, arXiv
// 2005.10242). "Other" means all candidates but the anchor itself or, where no anchor is a candidate, all but the
// positive. Smaller is better for both.
at::Tensor Alignment(const ContrastRows& rows);
at::Tensor Uniformity(const ContrastRows& rows);

// The share of anchors, between 0 and 1, whose nearest candidate is their positive.
at::Tensor Retrieval(const ContrastRows& rows);

// exp of the entropy of the singular values, normalised to the sum 1 (RankMe, arXiv 2210.02885): between 1 and the
// smaller of N and E. It is computed in float64 from the smaller Gram matrix, of rows or of dimensions. A GPU waits for
// the decomposition, so it is not for every step. NaN of rows that are not finite.
at::Tensor EffectiveRank(const at::Tensor& rows_NE);

}  // namespace mimeo
