#include "worker/training/train_step.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/isfinite.h>

#include "base/status_macros.h"

namespace mimeo {

TrainStep::TrainStep(const Parameters* parameters, const Encoder* encoder, const ObjectiveSum* objectives,
                     GradientReducer* reducer, AdamW* optimizer, const Options& options)
    : parameters_(parameters), encoder_(encoder), objectives_(objectives), reducer_(reducer), optimizer_(optimizer),
      options_(options) {}

ObjectiveSum::Result TrainStep::Forward(const std::vector<ViewInput>& views) const {
  ForwardPass pass;
  pass.views = views;
  for (const ViewInput& view : views) pass.encodings.push_back(encoder_->Encode(view.images_BCHW, view.plan));
  return objectives_->Compute(pass);
}

absl::Status TrainStep::Settle(const std::vector<ViewInput>& views) {
  return CatchTorch([&] {
    ClearGradients(*parameters_);
    const at::Tensor loss = Forward(views).total;
    reducer_->PrepareForBackward(loss);
    loss.backward();
    reducer_->Settle();
    ClearGradients(*parameters_);
  });
}

absl::StatusOr<StepResult> TrainStep::Run(absl::Span<const std::vector<ViewInput>> micro_batches, double learning_rate) {
  StepResult result;
  RETURN_IF_ERROR(CatchTorch([&] { result = RunOrThrow(micro_batches, learning_rate); }));
  return result;
}

StepResult TrainStep::RunOrThrow(absl::Span<const std::vector<ViewInput>> micro_batches, double learning_rate) {
  StepResult result;
  ClearGradients(*parameters_);
  const double share = 1.0 / static_cast<double>(micro_batches.size());
  for (size_t i = 0; i < micro_batches.size(); ++i) {
    const ObjectiveSum::Result forward = Forward(micro_batches[i]);
    const at::Tensor loss = forward.total * share;
    // Gradients travel with the last backward pass only; the ones before accumulate here.
    if (i + 1 == micro_batches.size()) reducer_->PrepareForBackward(loss);
    loss.backward();
    result.loss = i == 0 ? loss.detach() : result.loss + loss.detach();
    for (const auto& [name, term] : forward.terms) {
      at::Tensor& sum = result.terms[name];
      sum = sum.defined() ? sum + term * share : term * share;
    }
  }
  result.grad_norm = ClipGradNorm(*parameters_, options_.max_grad_norm);
  result.skipped = at::isfinite(result.grad_norm).logical_not().to(at::kFloat);
  optimizer_->Step(learning_rate, result.skipped);
  return result;
}

}  // namespace mimeo
