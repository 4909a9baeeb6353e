// What betrays that an encoder gives all images the same features, of any job. Pure.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

#include "model/encoder.h"

namespace mimeo {

// Of the mean patch tokens of `encodings`, a batch's rows each in the same order, without gradient; scalars on the
// device:
//   encoder/embedding_std    EmbeddingStd of the first encoding's rows, scaled to length 1
//   encoder/effective_rank   EffectiveRank of them as they are, of 256 rows at most: between 1 and the smaller of rows
//   and width
// and, where there are two encodings or more, of the first two, scaled to length 1, among each other (losses.h):
//   encoder/alignment, encoder/uniformity, encoder/retrieval
// The effective rank is a decomposition, for which a GPU waits.
std::map<std::string, at::Tensor> FeatureStats(const std::vector<Encoding>& encodings);

}  // namespace mimeo
