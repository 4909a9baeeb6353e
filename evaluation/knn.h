// k-NN classification by features, as DINO's protocol, and what its accuracy is judged by. Pure.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace mimeo {

struct KnnOptions {
  int k = 20;
  double temperature = 0.07;
};
// DINO eval_knn.py: rows L2-normalised, the k most similar bank rows vote exp(similarity / temperature), all of them in
// a bank of fewer (VotersOf). In [0, 1]. InvalidArgument: no rows, rows without a label, other widths, values that are
// not finite (NaN has no neighbours).
absl::StatusOr<double> KnnAccuracy(const at::Tensor& bank_ND, const std::vector<int>& bank_labels,
                                   const at::Tensor& query_MD, const std::vector<int>& query_labels,
                                   const KnnOptions& options);

// How many rows of a bank vote: options.k, or as many as there are.
int64_t VotersOf(const KnnOptions& options, int64_t bank_rows);

// How often the most frequent label occurs, in [0, 1]; 0 of none.
double MajorityRate(const std::vector<int>& labels);

// `labels` into `names` as indices into `reference`: two splits number their classes alike only where both have all of
// them. A class that `reference` lacks gets an index past its end, so it is never predicted; -1 stays.
std::vector<int> LabelsAmong(const std::vector<int>& labels, const std::vector<std::string>& names,
                             const std::vector<std::string>& reference);

}  // namespace mimeo
