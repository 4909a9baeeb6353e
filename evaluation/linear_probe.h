// How well a linear classifier does on features that stay as they are. Pure.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "evaluation/answers.h"

namespace mimeo {

// The result of a probe.
struct LinearProbe {
  Answers answers;       // of the queries
  double strength = 0;   // of the L2 penalty that was chosen
  double bank_loss = 0;  // what was minimised, at the end
};

// A bank of fewer rows has no fifth that could choose anything.
constexpr int64_t kFewestBankRows = 10;

// Multinomial logistic regression on features that are standardised by the bank's mean and deviation. It minimises the
// mean cross-entropy plus strength / 2 * |weights|^2, where biases are free, over all rows at once by at most 300
// iterations of L-BFGS. The features are rotated to their principal axes, and each axis is scaled by about the
// curvature of the loss along it. That changes how many iterations are needed and not what they lead to.
//
// The strength is one of 1, 1e-1, ..., 1e-5. For each of them in this order a classifier is fitted to four fifths of
// the bank, until two in a row are worse than the best so far; the one that is right most often on the last fifth is
// chosen, and of equals the strongest, as CLIP chooses it (arXiv 2103.00020, appendix A.3). Then the whole bank is
// fitted. The result is deterministic: the fifth is spread over the classes and chosen by the hash of `bank_names`
// (SpreadOver), one name for each row, so the order of the rows chooses nothing.
//
// InvalidArgument: the bank has fewer than kFewestBankRows, there are no queries, rows have no label or different
// widths, or values are not finite. A query's label that the bank lacks is a wrong answer and no error.
absl::StatusOr<LinearProbe> ProbeLinearly(const at::Tensor& bank_ND, const std::vector<int>& bank_labels,
                                          const std::vector<std::string>& bank_names, const at::Tensor& query_MD,
                                          const std::vector<int>& query_labels);

// The fitted weights (C, D) and biases (C) for one strength. It is public for tests.
struct LogisticFit {
  at::Tensor weight_CD, bias_C;
  double loss = 0;
};
// Begins at `start`, or at zeros where that is empty. It is fast where the columns of `x_ND` are not correlated, and
// right for any. May throw what libtorch throws.
LogisticFit FitLogistic(const at::Tensor& x_ND, const at::Tensor& labels_N, int64_t num_classes, double strength,
                        const LogisticFit& start = {});

}  // namespace mimeo
