// k-NN classification by features, by DINO's protocol (facebookresearch/dino, eval_knn.py). Pure.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "evaluation/answers.h"

namespace mimeo {

struct KnnOptions {
  int k = 20;
  double temperature = 0.07;
};
// Classifies each query row. Rows are scaled to length 1, and the k most similar bank rows vote with exp(similarity /
// temperature) each; a smaller bank votes as a whole (VotersOf). Of classes with equal votes the first by number wins.
// InvalidArgument: there are no rows, rows without a label, rows of different widths, or values that are not finite,
// because NaN has no neighbours.
absl::StatusOr<Answers> ClassifyByNeighbours(const at::Tensor& bank_ND, const std::vector<int>& bank_labels,
                                             const at::Tensor& query_MD, const std::vector<int>& query_labels,
                                             const KnnOptions& options);

// How many rows of a bank vote: options.k, or all where there are fewer.
int64_t VotersOf(const KnnOptions& options, int64_t bank_rows);

// Turns `labels`, which are indices into `names`, into indices into `reference`: two splits of a data set number their
// classes alike only where both have all of them. A class that `reference` lacks gets an index past its end, so it is
// never predicted. -1 stays.
std::vector<int> LabelsAmong(const std::vector<int>& labels, const std::vector<std::string>& names,
                             const std::vector<std::string>& reference);

}  // namespace mimeo
