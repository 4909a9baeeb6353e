// Numbers that show whether an encoder gives all images the same features. Every job has them, whatever its objectives
// are. Pure.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

#include "model/encoder.h"

namespace mimeo {

// Describes the mean patch tokens of `encodings`, whose rows are the same images in the same order. No gradient flows;
// the values are scalars on the device.
//
//   encoder/embedding_std    EmbeddingStd of the first encoding's rows, scaled to length 1
//   encoder/effective_rank   EffectiveRank of the first 256 of them as they are: between 1 and the smaller of rows and
//   width
//
// Where there are two encodings or more, the first two are compared with each other, scaled to length 1 (losses.h):
// encoder/alignment, encoder/uniformity, encoder/retrieval.
//
// The effective rank needs a decomposition, for which a GPU waits, so the trainer does not ask for it at every step.
// REQUIRES: at least one encoding.
std::map<std::string, at::Tensor> FeatureStats(const std::vector<Encoding>& encodings);

}  // namespace mimeo
