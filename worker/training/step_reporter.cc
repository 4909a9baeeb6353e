#include "worker/training/step_reporter.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/stack.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "model/catch_torch.h"

namespace mimeo {

StepReporter::StepReporter(const JobSpec& spec, const Options& options, const UtilizationMeter& meter,
                           const Parts& parts)
    : spec_(spec), options_(options), meter_(meter), parts_(parts) {}

absl::Status StepReporter::Add(const StepResult& result, StepFacts facts) {
  Pending pending;
  pending.facts = std::move(facts);
  RETURN_IF_ERROR(CatchTorch([&] {
    std::vector<at::Tensor> scalars = {result.loss.to(at::kDouble)};
    for (const auto& [name, term] : result.terms) {
      pending.terms.push_back(name), scalars.push_back(term.to(at::kDouble));
    }
    for (const auto& [name, stat] : result.stats) {
      pending.stats.push_back(name), scalars.push_back(stat.to(at::kDouble));
    }
    scalars.push_back(result.skipped.to(at::kDouble));
    scalars.push_back(result.grad_norm.to(at::kDouble));
    pending.values = CopyToHost(at::stack(scalars));
    pending.ready = DeviceMark::Here(options_.device);
  }));
  pending_.push_back(std::move(pending));
  while (pending_.size() > options_.steps_in_flight) RETURN_IF_ERROR(ReadOldest());
  return absl::OkStatus();
}

absl::Status StepReporter::Flush() {
  while (!pending_.empty()) RETURN_IF_ERROR(ReadOldest());
  return absl::OkStatus();
}

absl::Status StepReporter::ReadOldest() {
  const Pending pending = std::move(pending_.front());
  pending_.pop_front();
  ASSIGN_OR_RETURN(const Means means, Average(pending));
  RETURN_IF_ERROR(CheckFinite(pending, means.skipped));
  StepTime time;
  time.total = clock_->Now() - read_at_;
  time.data_wait = pending.facts.data_wait;
  time.teacher_wait = pending.facts.teacher_wait;
  if (parts_.reducer != nullptr) time.communication = parts_.reducer->exposed_communication();
  RestartClock();
  Report(means, pending.facts, meter_.Of(time));
  return absl::OkStatus();
}

absl::StatusOr<StepReporter::Means> StepReporter::Average(const Pending& pending) {
  RETURN_IF_ERROR(CatchTorch([&] { pending.ready.AwaitOnHost(); }));
  Means means;
  const int64_t last = pending.values.numel() - 1;
  means.grad_norm = pending.values.const_data_ptr<double>()[last];  // the same on all ranks
  RETURN_IF_ERROR(parts_.gang->Sum(pending.values));
  const double* values = pending.values.const_data_ptr<double>();
  const double ranks = parts_.gang->size();
  means.loss = *values++ / ranks;
  for (const std::string& name : pending.terms) means.terms[name] = *values++ / ranks;
  for (const std::string& name : pending.stats) means.stats[name] = *values++ / ranks;
  means.skipped = *values > 0;
  return means;
}

absl::Status StepReporter::CheckFinite(const Pending& pending, bool skipped) {
  skipped_in_a_row_ = skipped ? skipped_in_a_row_ + 1 : 0;
  if (!skipped) return absl::OkStatus();
  ++skipped_steps_;
  const std::vector<int64_t>& samples = pending.facts.sample_ids;
  const size_t named = std::min<size_t>(samples.size(), 64);
  const std::string what = absl::StrCat(
      "step ", pending.facts.step, ": the gradient is not finite, so the update was not applied; samples of rank ",
      parts_.gang->rank(), ": ", absl::StrJoin(absl::MakeSpan(samples).subspan(0, named), " "));
  spdlog::warn("step skipped {}", what);
  if (skipped_in_a_row_ < limits::kNonFiniteStepsInARow) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(what, "; that was ", skipped_in_a_row_,
                   " steps in a row. A lower optimizer.adamw.base_rate, a longer warm-up or "
                   "optimizer.max_grad_norm may help"));
}

void StepReporter::Report(const Means& means, const StepFacts& facts, const Utilization& utilization) {
  const double global_batch = static_cast<double>(spec_.data().global_batch());
  const double images_per_second = global_batch / utilization.step_seconds();
  StatusSink* const status = parts_.ports.status;
  status->SetMetric("mimeo_worker_step", static_cast<double>(facts.step));
  status->SetMetric("mimeo_worker_loss", means.loss);
  status->SetMetric("mimeo_worker_learning_rate", facts.learning_rate);
  status->SetMetric("mimeo_worker_grad_norm", means.grad_norm);
  status->SetMetric("mimeo_worker_images_total", static_cast<double>(facts.step) * global_batch / parts_.gang->size());
  status->SetMetric("mimeo_worker_images_per_second", images_per_second);
  status->SetMetric("mimeo_worker_step_seconds", utilization.step_seconds());
  status->SetMetric("mimeo_worker_data_wait_seconds", utilization.data_wait_seconds());
  status->SetMetric("mimeo_worker_teacher_wait_seconds", utilization.teacher_wait_seconds());
  status->SetMetric("mimeo_worker_communication_seconds", utilization.communication_seconds());
  status->SetMetric("mimeo_worker_gflop_per_second", utilization.gflop_per_second());
  status->SetMetric("mimeo_worker_peak_gflop_per_second", utilization.peak_gflop_per_second());
  status->SetMetric("mimeo_worker_peak_memory_bytes", static_cast<double>(utilization.peak_memory_bytes()));
  status->SetMetric("mimeo_worker_bad_samples_total", static_cast<double>(facts.bad_samples));
  status->SetMetric("mimeo_worker_skipped_steps_total", static_cast<double>(skipped_steps_));
  status->ReportRankStep({facts.step, facts.bad_samples, images_per_second, utilization});
  if (const CheckpointSink* const checkpoints = parts_.ports.checkpoints; checkpoints != nullptr) {
    status->SetMetric("mimeo_worker_checkpoint_step", static_cast<double>(checkpoints->committed_step()));
    status->SetMetric("mimeo_worker_stop_need_seconds",
                      utilization.step_seconds() + absl::ToDoubleSeconds(checkpoints->checkpoint_time()));
  }
  if (parts_.ports.steps != nullptr) {
    parts_.ports.steps->ReportStep(Describe(means, facts, utilization, images_per_second));
  }
}

StepMetrics StepReporter::Describe(const Means& means, const StepFacts& facts, const Utilization& utilization,
                                   double images_per_second) const {
  StepMetrics metrics;
  metrics.set_step(facts.step);
  metrics.set_epoch(static_cast<double>(facts.step) / static_cast<double>(options_.steps_per_epoch));
  metrics.set_images(facts.step * spec_.data().global_batch());
  metrics.set_loss(means.loss);
  metrics.mutable_terms()->insert(means.terms.begin(), means.terms.end());
  metrics.mutable_stats()->insert(means.stats.begin(), means.stats.end());
  metrics.set_learning_rate(facts.learning_rate);
  metrics.set_grad_norm(means.grad_norm);
  metrics.set_images_per_second(images_per_second);
  metrics.set_data_wait_seconds(utilization.data_wait_seconds());
  metrics.set_teacher_wait_seconds(utilization.teacher_wait_seconds());
  *metrics.mutable_utilization() = utilization;
  metrics.mutable_time()->set_seconds(absl::ToUnixSeconds(clock_->Wall()));
  return metrics;
}

}  // namespace mimeo
