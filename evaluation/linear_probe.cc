#include "evaluation/linear_probe.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/linalg_qr.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <torch/optim/lbfgs.h>

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "data/spread_sample.h"
#include "model/catch_torch.h"
#include "model/finite.h"

namespace mimeo {
namespace {

constexpr double kStrengths[] = {1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5};
// The weaker the penalty the longer the fit. Behind so many that were worse than the best, none has been seen to be
// better.
constexpr int kWorseInARow = 2;

// The class of the highest score, of each row.
at::Tensor AnswersOf(const LogisticFit& fit, const at::Tensor& x_ND) {
  return at::linear(x_ND, fit.weight_CD, fit.bias_C).argmax(1);
}

absl::Status CheckRows(const char* which, const at::Tensor& rows_ND, const std::vector<int>& labels) {
  if (rows_ND.size(0) != static_cast<int64_t>(labels.size())) {
    return absl::InvalidArgumentError(
        absl::StrCat(which, ": ", rows_ND.size(0), " rows and ", labels.size(), " labels"));
  }
  if (std::any_of(labels.begin(), labels.end(), [](int label) { return label < 0; })) {
    return absl::InvalidArgumentError(
        absl::StrCat(which, ": some images have no label; a linear probe needs one each"));
  }
  const std::string not_finite = NotFinite(rows_ND);
  return not_finite.empty() ? absl::OkStatus()
                            : absl::InvalidArgumentError(absl::StrCat(which, ": the features hold ", not_finite));
}

at::Tensor LabelTensor(const std::vector<int>& labels) {
  return at::tensor(std::vector<int64_t>(labels.begin(), labels.end()), at::kLong);
}

struct Choice {
  double strength = 0;
  LogisticFit fit;  // of four fifths
};

// `fifth`: the rows that judge. Each fit starts at the stronger one's end, from where it is not far.
Choice ChooseStrength(const at::Tensor& x_ND, const at::Tensor& labels_N, const at::Tensor& fifth,
                      int64_t num_classes) {
  const at::Tensor kept = at::ones({x_ND.size(0)}, at::kBool).index_fill(0, fifth, false).nonzero().squeeze(1);
  double best = -1;
  int worse = 0;  // in a row
  Choice chosen;
  LogisticFit fit;
  for (const double strength : kStrengths) {
    if (worse == kWorseInARow) break;
    fit = FitLogistic(x_ND.index_select(0, kept), labels_N.index_select(0, kept), num_classes, strength, fit);
    const at::Tensor right_F = AnswersOf(fit, x_ND.index_select(0, fifth)).eq(labels_N.index_select(0, fifth));
    const double accuracy = right_F.to(at::kDouble).mean().item<double>();
    worse = accuracy < best ? worse + 1 : 0;
    if (accuracy > best) best = accuracy, chosen = {strength, fit};
  }
  return chosen;
}

// (D, X): the principal axes of the rows, X the smaller of N and D. The problem is the same along them: rows that are
// fewer than they are wide lie in a subspace, the best weights lie in it too, and a penalty on their length does not
// see a rotation. Along them the columns are not correlated, which is what FitLogistic is fast with.
at::Tensor AxesOf(const at::Tensor& x_ND) {
  if (x_ND.size(0) >= x_ND.size(1)) return std::get<1>(at::linalg_eigh(x_ND.t().mm(x_ND)));
  const auto [q_DN, r_NN] = at::linalg_qr(x_ND.t());
  return q_DN.mm(std::get<1>(at::linalg_eigh(r_NN.mm(r_NN.t()))));
}

LinearProbe Probe(const at::Tensor& bank_ND, const std::vector<int>& bank_labels,
                  const std::vector<std::string>& bank_names, const at::Tensor& query_MD,
                  const std::vector<int>& query_labels) {
  const at::Tensor bank = bank_ND.to(at::kDouble), labels_N = LabelTensor(bank_labels);
  const at::Tensor mean_D = bank.mean(0), deviation_D = bank.std(0, /*unbiased=*/false).clamp_min(1e-12);
  const at::Tensor standard_ND = (bank - mean_D) / deviation_D, axes_DX = AxesOf(standard_ND);
  const at::Tensor x_NX = standard_ND.mm(axes_DX);
  const int64_t num_classes = *std::max_element(bank_labels.begin(), bank_labels.end()) + 1;
  const at::Tensor fifth = at::tensor(SpreadOver(bank_labels, bank_names, bank.size(0) / 5), at::kLong);
  LinearProbe probe;
  const Choice choice = ChooseStrength(x_NX, labels_N, fifth, num_classes);
  probe.strength = choice.strength;
  const LogisticFit fit = FitLogistic(x_NX, labels_N, num_classes, choice.strength, choice.fit);
  probe.bank_loss = fit.loss;
  const at::Tensor query_MX = ((query_MD.to(at::kDouble) - mean_D) / deviation_D).mm(axes_DX);
  const at::Tensor said_M = AnswersOf(fit, query_MX).to(at::kCPU).contiguous();
  probe.answers.truth = query_labels;
  probe.answers.said.assign(said_M.const_data_ptr<int64_t>(), said_M.const_data_ptr<int64_t>() + said_M.numel());
  return probe;
}

}  // namespace

LogisticFit FitLogistic(const at::Tensor& x_ND, const at::Tensor& labels_N, int64_t num_classes, double strength,
                        const LogisticFit& start) {
  // About the curvature of the loss along each column where the answers are open: those of a few directions hold nearly
  // all of the variance of features, and what is minimised would be a long, narrow valley. The minimum stays where it
  // is.
  const double spread = (1 - 1.0 / static_cast<double>(num_classes)) / static_cast<double>(num_classes);
  const at::Tensor scale_D = (spread * x_ND.square().mean(0) + strength).sqrt();
  const at::Tensor scaled_ND = x_ND / scale_D, penalty_D = strength / 2 / scale_D.square();
  LogisticFit fit;
  fit.weight_CD =
      start.weight_CD.defined() ? start.weight_CD * scale_D : at::zeros({num_classes, x_ND.size(1)}, x_ND.options());
  fit.bias_C = start.bias_C.defined() ? start.bias_C.clone() : at::zeros({num_classes}, x_ND.options());
  fit.weight_CD.requires_grad_(), fit.bias_C.requires_grad_();
  torch::optim::LBFGSOptions options(/*lr=*/1);
  options.max_iter(300).tolerance_grad(1e-7).tolerance_change(1e-12).history_size(20).line_search_fn("strong_wolfe");
  torch::optim::LBFGS optimizer({fit.weight_CD, fit.bias_C}, options);
  const auto loss = [&] {
    const at::AutoGradMode with_gradient(true);
    optimizer.zero_grad();
    at::Tensor value = at::cross_entropy_loss(at::linear(scaled_ND, fit.weight_CD, fit.bias_C), labels_N) +
                       (fit.weight_CD.square() * penalty_D).sum();
    value.backward();
    return value;
  };
  optimizer.step(loss);
  fit.loss = loss().item<double>();
  fit.weight_CD = fit.weight_CD.detach() / scale_D;
  fit.bias_C = fit.bias_C.detach();
  return fit;
}

absl::StatusOr<LinearProbe> ProbeLinearly(const at::Tensor& bank_ND, const std::vector<int>& bank_labels,
                                          const std::vector<std::string>& bank_names, const at::Tensor& query_MD,
                                          const std::vector<int>& query_labels) {
  if (bank_ND.size(0) < kFewestBankRows) {
    return absl::InvalidArgumentError(absl::StrCat("bank: ", bank_ND.size(0), " rows; at least ", kFewestBankRows));
  }
  if (query_MD.size(0) == 0) return absl::InvalidArgumentError("no rows to classify");
  if (bank_ND.size(1) != query_MD.size(1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the bank's rows are ", bank_ND.size(1), " wide, the queries' ", query_MD.size(1)));
  }
  if (bank_names.size() != bank_labels.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("bank: ", bank_labels.size(), " labels and ", bank_names.size(), " names"));
  }
  for (const absl::Status& status :
       {CheckRows("bank", bank_ND, bank_labels), CheckRows("queries", query_MD, query_labels)}) {
    if (!status.ok()) return status;
  }
  return CatchTorch([&] { return Probe(bank_ND, bank_labels, bank_names, query_MD, query_labels); });
}

}  // namespace mimeo
