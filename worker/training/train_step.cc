#include "worker/training/train_step.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/isfinite.h>

#include <utility>

#include "base/status_macros.h"
#include "objective/feature_stats.h"

namespace mimeo {
namespace {

void AddShare(const std::map<std::string, at::Tensor>& values, double share, std::map<std::string, at::Tensor>* sums) {
  for (const auto& [name, value] : values) {
    at::Tensor& sum = (*sums)[name];
    sum = sum.defined() ? sum + value * share : value * share;
  }
}

void AddShare(const std::map<std::string, BatchMean>& means, double share, std::map<std::string, BatchMean>* sums) {
  for (const auto& [name, mean] : means) {
    BatchMean& sum = (*sums)[name];
    sum.value = sum.value.defined() ? sum.value + mean.value * share : mean.value * share;
    sum.momentum = mean.momentum;
  }
}

}  // namespace

TrainStep::TrainStep(const Parameters* parameters, const Encoder* encoder, const ObjectiveSum* objectives,
                     GradientReducer* reducer, AdamW* optimizer, const Options& options)
    : parameters_(parameters), encoder_(encoder), objectives_(objectives), reducer_(reducer), optimizer_(optimizer),
      options_(options) {}

ObjectiveSum::Result TrainStep::Forward(ForwardPass pass, std::map<std::string, at::Tensor>* feature_stats) const {
  EncodeViews(*encoder_, options_.average == nullptr ? nullptr : &options_.average->encoder(), *objectives_, &pass);
  if (feature_stats != nullptr) *feature_stats = FeatureStats(pass.encodings);
  return objectives_->Compute(pass);
}

absl::Status TrainStep::Settle(const ForwardPass& views) {
  return CatchTorch([&] {
    ClearGradients(*parameters_);
    const at::Tensor loss = Forward(views, /*feature_stats=*/nullptr).total;
    reducer_->PrepareForBackward(loss);
    loss.backward();
    reducer_->Settle();
    ClearGradients(*parameters_);
  });
}

absl::StatusOr<StepResult> TrainStep::Run(absl::Span<const ForwardPass> micro_batches, const StepSettings& settings) {
  StepResult result;
  RETURN_IF_ERROR(CatchTorch([&] { result = RunOrThrow(micro_batches, settings); }));
  return result;
}

StepResult TrainStep::RunOrThrow(absl::Span<const ForwardPass> micro_batches, const StepSettings& settings) {
  StepResult result;
  ClearGradients(*parameters_);
  const double share = 1.0 / static_cast<double>(micro_batches.size());
  std::map<std::string, at::Tensor> feature_stats;
  for (size_t i = 0; i < micro_batches.size(); ++i) {
    ForwardPass pass = micro_batches[i];
    pass.progress = settings.progress;
    const ObjectiveSum::Result forward = Forward(std::move(pass), settings.feature_stats && i == 0 ? &feature_stats : nullptr);
    const at::Tensor loss = forward.total * share;
    // Gradients travel with the last backward pass only; the ones before accumulate here.
    if (i + 1 == micro_batches.size()) reducer_->PrepareForBackward(loss);
    loss.backward();
    result.loss = i == 0 ? loss.detach() : result.loss + loss.detach();
    AddShare(forward.terms, share, &result.terms);
    AddShare(forward.stats, share, &result.stats);
    AddShare(forward.means, share, &result.means);
  }
  result.stats.merge(feature_stats);
  result.grad_norm = ClipGradNorm(*parameters_, options_.max_grad_norm);
  result.skipped = at::isfinite(result.grad_norm).logical_not().to(at::kFloat);
  optimizer_->Step(settings.learning_rate, settings.progress, result.skipped);
  if (options_.average != nullptr) options_.average->Update(settings.progress, result.skipped, result.means);
  return result;
}

}  // namespace mimeo
