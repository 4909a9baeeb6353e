#include "evaluation/comparison.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "evaluation/linear_probe.h"

namespace mimeo {
namespace {

absl::Status OfRow(const std::string& name, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(name, ": ", status.message()));
}

}  // namespace

absl::StatusOr<ComparedRow> MeasureRow(const std::string& name, const LabelledSplit& split, const KnnOptions& options) {
  ComparedRow row;
  row.name = name;
  absl::StatusOr<Answers> knn = ClassifyByNeighbours(split.bank.patch_mean_ND, split.bank.labels,
                                                     split.query.patch_mean_ND, split.query.labels, options);
  if (!knn.ok()) return OfRow(name, knn.status());
  row.knn = *std::move(knn);
  if (static_cast<int64_t>(split.bank.labels.size()) < kFewestBankRows) return row;
  absl::StatusOr<LinearProbe> probe = ProbeLinearly(split.bank.patch_mean_ND, split.bank.labels, split.bank_names,
                                                    split.query.patch_mean_ND, split.query.labels);
  if (!probe.ok()) return OfRow(name, probe.status());
  row.probe = std::move(probe->answers);
  return row;
}

std::vector<RowDifference> DifferencesOfFirst(const std::vector<ComparedRow>& rows) {
  std::vector<RowDifference> differences;
  for (size_t i = 1; i < rows.size(); ++i) {
    const ComparedRow &first = rows.front(), &other = rows[i];
    differences.push_back({first.name, other.name, "knn", DifferenceOf(CountPairs(first.knn, other.knn))});
    if (!first.probe.has_value() || !other.probe.has_value()) continue;
    differences.push_back({first.name, other.name, "probe", DifferenceOf(CountPairs(*first.probe, *other.probe))});
  }
  return differences;
}

}  // namespace mimeo
