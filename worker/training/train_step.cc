#include "worker/training/train_step.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/isfinite.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "model/catch_torch.h"
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

// Of their own memory: a recorded step overwrites what it made.
StepResult CopyOf(StepResult result) {
  for (at::Tensor* tensor : {&result.loss, &result.grad_norm, &result.skipped}) *tensor = tensor->clone();
  for (auto* scalars : {&result.terms, &result.stats}) {
    for (auto& [name, value] : *scalars) value = value.clone();
  }
  for (auto& [name, mean] : result.means) mean.value = mean.value.clone();
  return result;
}

Encoding Detached(Encoding encoding) {
  encoding.blocks_BND.clear();
  for (at::Tensor* tensor :
       {&encoding.visible_BKD, &encoding.class_BD, &encoding.hidden_BMD, &encoding.class_attention_BK}) {
    if (tensor->defined()) *tensor = tensor->detach();
  }
  return encoding;
}

}  // namespace

TrainStep::TrainStep(const Parameters* parameters, const Encoder* encoder, const ObjectiveSum* objectives,
                     GradientReducer* reducer, AdamW* optimizer, const Options& options)
    : parameters_(parameters),
      encoder_(encoder),
      objectives_(objectives),
      reducer_(reducer),
      optimizer_(optimizer),
      options_(options) {}

ObjectiveSum::Result TrainStep::Forward(ForwardPass pass, std::vector<Encoding>* encodings) const {
  EncodeViews(*encoder_, options_.average == nullptr ? nullptr : &options_.average->encoder(), *objectives_, &pass);
  if (encodings != nullptr) {
    for (const Encoding& encoding : pass.encodings) encodings->push_back(Detached(encoding));
  }
  return objectives_->Compute(pass);
}

absl::Status TrainStep::Settle(const ForwardPass& views) {
  if (reducer_ == nullptr) return absl::OkStatus();
  return CatchTorch([&] {
    ClearGradients(*parameters_);
    const at::Tensor loss = Forward(views, /*encodings=*/nullptr).total;
    Backward(loss, /*reduces=*/true);
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
  optimizer_->SetSchedule(settings.learning_rate, settings.progress);
  if (options_.average != nullptr) options_.average->SetSchedule(settings.progress);
  Update update;
  if (options_.recorder == nullptr) {
    update = Compute(micro_batches, settings);
  } else {
    options_.recorder->Run(micro_batches, [this, settings](absl::Span<const ForwardPass> inputs) {
      recorded_ = Compute(inputs, settings);
    });
    update = {CopyOf(recorded_.result), recorded_.encodings};
  }
  if (settings.feature_stats) update.result.stats.merge(FeatureStats(update.encodings));
  return std::move(update.result);
}

void TrainStep::Backward(const at::Tensor& loss, bool reduces) const {
  if (!reduces) return loss.backward();
  // From the first full bucket on it may stand still until the other ranks have come as far.
  const Progress::Collective together =
      options_.gang == nullptr ? Progress::Collective(nullptr) : options_.gang->Together();
  reducer_->PrepareForBackward(loss);
  loss.backward();
}

TrainStep::Update TrainStep::Compute(absl::Span<const ForwardPass> micro_batches, const StepSettings& settings) const {
  Update update;
  StepResult& result = update.result;
  // Gradients that live through several passes would be scattered among what these free, in each step anew. An
  // allocator that keeps its pages (worker/agent/rank_environment.cc) joins no freed ones, so the process would grow by
  // a set of gradients a step.
  const bool keeps_places = micro_batches.size() > 1 && options_.recorder == nullptr;
  keeps_places ? ZeroGradients(*parameters_) : ClearGradients(*parameters_);
  const double share = 1.0 / static_cast<double>(micro_batches.size());
  for (size_t i = 0; i < micro_batches.size(); ++i) {
    if (options_.gang != nullptr) {
      options_.gang->Do(absl::StrCat("step ", settings.step, ", micro-batch ", i + 1, " of ", micro_batches.size()));
    }
    ForwardPass pass = micro_batches[i];
    pass.progress = settings.progress;
    const ObjectiveSum::Result forward = Forward(std::move(pass), i == 0 ? &update.encodings : nullptr);
    const at::Tensor loss = forward.total * share;
    // Gradients travel with the last backward pass only; the ones before accumulate here.
    Backward(loss, /*reduces=*/reducer_ != nullptr && i + 1 == micro_batches.size());
    result.loss = i == 0 ? loss.detach() : result.loss + loss.detach();
    AddShare(forward.terms, share, &result.terms);
    AddShare(forward.stats, share, &result.stats);
    AddShare(forward.means, share, &result.means);
  }
  result.grad_norm = ClipGradNorm(*parameters_, options_.max_grad_norm, options_.clipping);
  result.skipped = at::isfinite(result.grad_norm).logical_not().to(at::kFloat);
  optimizer_->Step(result.skipped);
  if (options_.average != nullptr) options_.average->Update(result.skipped, result.means);
  return update;
}

}  // namespace mimeo
