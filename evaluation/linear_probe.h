// How well a linear classifier does on frozen features. Pure.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace mimeo {

struct LinearProbe {
  double accuracy = 0;   // of the queries, in [0, 1]
  double strength = 0;   // of the L2 penalty that was chosen
  double bank_loss = 0;  // what was minimised, at the end
};

// Multinomial logistic regression on features that are standardised by the bank's mean and deviation: the mean
// cross-entropy plus strength / 2 * |weights|^2 (biases are free), minimised over all rows at once by at most 300
// iterations of L-BFGS (which a penalty of 1e-2 needs half of on a thousand rows; weaker ones are stopped early). The
// strength is the one of 1e-5, 1e-4, ..., 1 whose classifier, fitted to four fifths of the bank, is right most often on
// the fifth (of equals the strongest), as CLIP chooses it (arXiv 2103.00020, appendix A.3); then the whole bank is
// fitted. Deterministic: the fifth is spread over the classes and chosen by the hash of the names (SpreadOver), so that
// the order of the rows chooses nothing. `bank_names`: of the bank's images, one a row. InvalidArgument: fewer than ten
// rows in the bank, no queries, rows without label (a query's label that the bank lacks is a wrong answer, never an
// error), other widths, values that are not finite.
absl::StatusOr<LinearProbe> ProbeLinearly(const at::Tensor& bank_ND, const std::vector<int>& bank_labels,
                                          const std::vector<std::string>& bank_names, const at::Tensor& query_MD,
                                          const std::vector<int>& query_labels);

// The fitted weights (C, D) and biases (C) for one strength: for tests.
struct LogisticFit {
  at::Tensor weight_CD, bias_C;
  double loss = 0;
};
// Begins at `start`, or at zeros where that is empty.
LogisticFit FitLogistic(const at::Tensor& x_ND, const at::Tensor& labels_N, int64_t num_classes, double strength,
                        const LogisticFit& start = {});

}  // namespace mimeo
