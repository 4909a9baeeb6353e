#include "evaluation/knn.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "model/finite.h"

namespace mimeo {
namespace {

absl::Status CheckRows(const std::vector<int>& labels, const at::Tensor& rows_ND, const char* what) {
  if (!rows_ND.defined() || rows_ND.size(0) == 0) {
    return absl::InvalidArgumentError(absl::StrCat("k-NN: the ", what, " has no rows"));
  }
  if (static_cast<int64_t>(labels.size()) != rows_ND.size(0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("k-NN: the ", what, " has ", rows_ND.size(0), " rows and ", labels.size(), " labels"));
  }
  const auto missing = std::count(labels.begin(), labels.end(), -1);
  if (missing > 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("k-NN: ", missing, " of ", labels.size(), " images of the ", what,
                     " have no label; labels are class folders, or .cls or .json members of a tar"));
  }
  const std::string not_finite = NotFinite(rows_ND);
  if (not_finite.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("k-NN: the features of the ", what, " hold ", not_finite));
}

at::Tensor Unit(const at::Tensor& rows_ND) {
  const at::Tensor rows = rows_ND.to(at::kFloat);
  return rows / rows.norm(2, {1}, /*keepdim=*/true).clamp_min(1e-12);
}

// The class with most votes; of equals the smallest.
int Elect(const float* similarities, const int64_t* rows, int64_t k, const std::vector<int>& labels,
          double temperature) {
  std::map<int, double> votes;
  for (int64_t i = 0; i < k; ++i) votes[labels[rows[i]]] += std::exp(similarities[i] / temperature);
  const auto winner =
      std::max_element(votes.begin(), votes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return winner->first;
}

}  // namespace

int64_t VotersOf(const KnnOptions& options, int64_t bank_rows) { return std::min<int64_t>(options.k, bank_rows); }

absl::StatusOr<Answers> ClassifyByNeighbours(const at::Tensor& bank_ND, const std::vector<int>& bank_labels,
                                             const at::Tensor& query_MD, const std::vector<int>& query_labels,
                                             const KnnOptions& options) {
  RETURN_IF_ERROR(CheckRows(bank_labels, bank_ND, "bank"));
  RETURN_IF_ERROR(CheckRows(query_labels, query_MD, "query set"));
  if (bank_ND.size(1) != query_MD.size(1) || options.k <= 0 || !(options.temperature > 0)) {
    return absl::InvalidArgumentError(absl::StrCat("k-NN: widths ", bank_ND.size(1), " and ", query_MD.size(1), ", k ",
                                                   options.k, ", temperature ", options.temperature));
  }
  const at::NoGradGuard no_grad;
  const at::Tensor bank_DN = Unit(bank_ND).t();
  const int64_t k = VotersOf(options, bank_ND.size(0));
  constexpr int64_t kQueriesAtOnce = 256;
  Answers answers;
  answers.truth = query_labels;
  const int64_t queries = query_MD.size(0);
  for (int64_t first = 0; first < queries; first += kQueriesAtOnce) {
    const int64_t last = std::min(first + kQueriesAtOnce, queries);
    const auto [similarity, rows] = Unit(query_MD.slice(0, first, last)).matmul(bank_DN).topk(k);
    const at::Tensor similarity_QK = similarity.to(at::kCPU).contiguous();
    const at::Tensor rows_QK = rows.to(at::kCPU).contiguous();
    for (int64_t i = 0; i < last - first; ++i) {
      answers.said.push_back(Elect(similarity_QK.const_data_ptr<float>() + i * k,
                                   rows_QK.const_data_ptr<int64_t>() + i * k, k, bank_labels, options.temperature));
    }
  }
  return answers;
}

std::vector<int> LabelsAmong(const std::vector<int>& labels, const std::vector<std::string>& names,
                             const std::vector<std::string>& reference) {
  std::map<std::string, int> index;
  for (size_t i = 0; i < reference.size(); ++i) index.emplace(reference[i], static_cast<int>(i));
  std::vector<int> among;
  for (const int label : labels) {
    if (label < 0) {
      among.push_back(-1);
      continue;
    }
    const auto found = index.find(names[label]);
    among.push_back(found != index.end() ? found->second : static_cast<int>(reference.size()) + label);
  }
  return among;
}

}  // namespace mimeo
