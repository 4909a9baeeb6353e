#include "worker/training/trainer.h"

#include <ATen/ops/zeros.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "job/job_shape.h"
#include "worker/training/schedule.h"

namespace mimeo {
namespace {

constexpr absl::Duration kDrainPatience = absl::Minutes(1);
constexpr int64_t kFeatureStatsEverySteps = 10;

}  // namespace

Trainer::Trainer(const JobSpec& spec, int64_t num_samples, std::string dataset_digest, const TrainPosition& position,
                 const TrainerParts& parts)
    : spec_(spec), num_samples_(num_samples), total_steps_(TotalSteps(spec, num_samples)),
      dataset_digest_(std::move(dataset_digest)), parts_(parts), position_(position), checkpointed_step_(position.step) {}

absl::StatusOr<TrainEnd> Trainer::Run() {
  // After a resume this may measure again what was measured already; that it was heard of is not in the checkpoint.
  if (EvaluationDue()) RETURN_IF_ERROR(Evaluate());
  while (position_.step < total_steps_) {
    const absl::Status status = TakeStep();
    if (absl::IsCancelled(status)) return Finish(TrainEnd::kStopped);
    RETURN_IF_ERROR(status);
    if (CheckpointDue()) Checkpoint();
    if (EvaluationDue()) RETURN_IF_ERROR(Evaluate());
    if (parts_.coordinator != nullptr) RETURN_IF_ERROR(parts_.coordinator->status());
  }
  return Finish(TrainEnd::kCompleted);
}

absl::Status Trainer::TakeStep() {
  const absl::Time began = clock_->Now();
  const absl::StatusOr<StepBatch> batch = NextBatch();
  const bool cancelled = absl::IsCancelled(batch.status());
  if (!cancelled) RETURN_IF_ERROR(batch.status());
  ASSIGN_OR_RETURN(const bool stop, AnyRankStops(cancelled || *parts_.stop_wanted));
  if (stop) return absl::CancelledError("told to stop");
  const double rate = LearningRate(spec_, position_.step, num_samples_);
  ASSIGN_OR_RETURN(const StepResult result, parts_.step->Run(batch->micro_batches, {rate, Progress(), FeatureStatsDue()}));
  ++position_.step;
  position_.next = batch->next;
  ASSIGN_OR_RETURN(const Means means, Average(result));
  RETURN_IF_ERROR(CheckFinite(means.skipped));
  Report(means, result.grad_norm.item<double>(), rate, *batch, clock_->Now() - began);
  return absl::OkStatus();
}

// Not on each step: the effective rank is a decomposition.
bool Trainer::FeatureStatsDue() const {
  const int64_t step = position_.step + 1;
  return step == 1 || step == total_steps_ || step % kFeatureStatsEverySteps == 0;
}

double Trainer::Progress() const {
  return total_steps_ > 1 ? static_cast<double>(position_.step) / static_cast<double>(total_steps_ - 1) : 0;
}

// Asked before a step's own collectives, by the ranks that wait for a teacher in vain too: so no rank stands in a collective
// that another one left out.
absl::StatusOr<bool> Trainer::AnyRankStops(bool this_rank) {
  at::Tensor stops = at::zeros({1}, at::kDouble);
  *stops.mutable_data_ptr<double>() = this_rank ? 1 : 0;
  RETURN_IF_ERROR(parts_.gang->Sum(stops));
  return *stops.const_data_ptr<double>() > 0;
}

absl::StatusOr<Trainer::StepBatch> Trainer::NextBatch() {
  StepBatch step;
  sample_ids_.clear();
  for (int64_t i = 0; i < AccumulationSteps(spec_); ++i) {
    const absl::Time asked = clock_->Now();
    ASSIGN_OR_RETURN(PreparedBatch batch, parts_.pipeline->Next());
    const absl::Duration waited = clock_->Now() - asked;
    // Of the time that this rank stood still, the teacher answers for at most the time that it took.
    const absl::Duration teacher = std::min(waited, batch.teacher_time);
    step.teacher_wait += teacher;
    step.data_wait += waited - teacher;
    sample_ids_.insert(sample_ids_.end(), batch.sample_ids.begin(), batch.sample_ids.end());
    step.next = batch.next;
    step.micro_batches.push_back(std::move(batch.pass));
  }
  return step;
}

absl::StatusOr<Trainer::Means> Trainer::Average(const StepResult& result) {
  at::Tensor sums = at::zeros({static_cast<int64_t>(result.terms.size() + result.stats.size()) + 2}, at::kDouble);
  RETURN_IF_ERROR(CatchTorch([&] {
    double* values = sums.mutable_data_ptr<double>();
    *values++ = result.loss.item<double>();
    for (const auto& [name, term] : result.terms) *values++ = term.item<double>();
    for (const auto& [name, stat] : result.stats) *values++ = stat.item<double>();
    *values++ = result.skipped.item<double>();
  }));
  RETURN_IF_ERROR(parts_.gang->Sum(sums));
  const double* values = sums.const_data_ptr<double>();
  const double ranks = parts_.gang->size();
  Means means;
  means.loss = *values++ / ranks;
  for (const auto& [name, term] : result.terms) means.terms[name] = *values++ / ranks;
  for (const auto& [name, stat] : result.stats) means.stats[name] = *values++ / ranks;
  means.skipped = *values++ > 0;
  return means;
}

absl::Status Trainer::CheckFinite(bool skipped) {
  skipped_in_a_row_ = skipped ? skipped_in_a_row_ + 1 : 0;
  if (!skipped) return absl::OkStatus();
  ++skipped_steps_;
  const size_t named = std::min<size_t>(sample_ids_.size(), 64);
  const std::string what =
      absl::StrCat("step ", position_.step, ": the gradient is not finite, so the update was not applied; samples of rank ",
                   parts_.gang->rank(), ": ", absl::StrJoin(absl::MakeSpan(sample_ids_).subspan(0, named), " "));
  spdlog::warn("step skipped {}", what);
  if (skipped_in_a_row_ < limits::kNonFiniteStepsInARow) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(what, "; that was ", skipped_in_a_row_,
                                                    " steps in a row. A lower optimizer.adamw.base_rate, a longer warm-up or "
                                                    "optimizer.max_grad_norm may help"));
}

void Trainer::Report(const Means& means, double grad_norm, double learning_rate, const StepBatch& batch, absl::Duration took) {
  const double seconds = absl::ToDoubleSeconds(took);
  const double global_batch = static_cast<double>(spec_.data().global_batch());
  const double images_per_second = global_batch / seconds;
  RankLink* const agent = parts_.agent;
  agent->SetMetric("mimeo_worker_step", static_cast<double>(position_.step));
  agent->SetMetric("mimeo_worker_loss", means.loss);
  agent->SetMetric("mimeo_worker_learning_rate", learning_rate);
  agent->SetMetric("mimeo_worker_grad_norm", grad_norm);
  agent->SetMetric("mimeo_worker_images_total", static_cast<double>(position_.step) * global_batch / parts_.gang->size());
  agent->SetMetric("mimeo_worker_images_per_second", images_per_second);
  agent->SetMetric("mimeo_worker_step_seconds", seconds);
  agent->SetMetric("mimeo_worker_data_wait_seconds", absl::ToDoubleSeconds(batch.data_wait));
  agent->SetMetric("mimeo_worker_teacher_wait_seconds", absl::ToDoubleSeconds(batch.teacher_wait));
  agent->SetMetric("mimeo_worker_bad_samples_total", static_cast<double>(parts_.loader->bad_samples()));
  agent->SetMetric("mimeo_worker_skipped_steps_total", static_cast<double>(skipped_steps_));
  agent->Update([&](RankStatus* status) {
    status->set_step(position_.step);
    status->set_images_per_second(images_per_second);
  });
  if (parts_.coordinator == nullptr) return;
  agent->SetMetric("mimeo_worker_checkpoint_step", static_cast<double>(parts_.coordinator->committed_step()));
  parts_.coordinator->ReportStep(Describe(means, grad_norm, learning_rate, batch, images_per_second));
}

StepMetrics Trainer::Describe(const Means& means, double grad_norm, double learning_rate, const StepBatch& batch,
                              double images_per_second) const {
  StepMetrics metrics;
  metrics.set_step(position_.step);
  metrics.set_epoch(static_cast<double>(position_.step) / static_cast<double>(StepsPerEpoch(spec_, num_samples_)));
  metrics.set_images(position_.step * spec_.data().global_batch());
  metrics.set_loss(means.loss);
  metrics.mutable_terms()->insert(means.terms.begin(), means.terms.end());
  metrics.mutable_stats()->insert(means.stats.begin(), means.stats.end());
  metrics.set_learning_rate(learning_rate);
  metrics.set_grad_norm(grad_norm);
  metrics.set_images_per_second(images_per_second);
  metrics.set_data_wait_seconds(absl::ToDoubleSeconds(batch.data_wait));
  metrics.set_teacher_wait_seconds(absl::ToDoubleSeconds(batch.teacher_wait));
  metrics.mutable_time()->set_seconds(absl::ToUnixSeconds(clock_->Now()));
  return metrics;
}

bool Trainer::CheckpointDue() const {
  const int64_t every = spec_.checkpoint().every_steps();
  return position_.step == total_steps_ || (every > 0 && position_.step % every == 0);
}

bool Trainer::EvaluationDue() const {
  if (parts_.evaluation == nullptr) return false;
  const EvaluationSpec& evaluation = spec_.evaluation();
  if (position_.step == 0) return evaluation.at_start();
  if (position_.step == total_steps_) return true;
  return evaluation.every_steps() > 0 && position_.step % evaluation.every_steps() == 0;
}

void Trainer::Checkpoint() {
  if (parts_.coordinator == nullptr || checkpointed_step_ == position_.step) return;
  const absl::Time began = clock_->Now();
  std::string stream = SerializeTrainState({parts_.parameters, parts_.optimizer, parts_.average}, spec_, position_);
  const double pause = absl::ToDoubleSeconds(clock_->Now() - began);
  parts_.agent->SetMetric("mimeo_worker_checkpoint_pause_seconds", pause);
  parts_.agent->SetMetric("mimeo_worker_checkpoint_bytes", static_cast<double>(stream.size()));
  CheckpointManifest manifest;
  manifest.set_step(position_.step);
  *manifest.mutable_position() = position_.next;
  manifest.set_dataset_digest(dataset_digest_);
  manifest.set_pause_seconds(pause);
  manifest.mutable_created()->set_seconds(absl::ToUnixSeconds(began));
  parts_.coordinator->SubmitCheckpoint(std::move(manifest), std::move(stream));
  checkpointed_step_ = position_.step;
}

absl::Status Trainer::Evaluate() {
  parts_.on_waiting("evaluation", true);
  const EvaluatedModel model = {parts_.encoder, parts_.objectives, parts_.average == nullptr ? nullptr : &parts_.average->encoder()};
  const auto result = parts_.evaluation->Run(position_.step, model, parts_.evaluation_teachers, parts_.gang);
  parts_.on_waiting("evaluation", false);
  RETURN_IF_ERROR(result.status());
  if (parts_.coordinator != nullptr) parts_.coordinator->ReportEvaluation(*result);
  return absl::OkStatus();
}

absl::StatusOr<TrainEnd> Trainer::Finish(TrainEnd end) {
  Checkpoint();
  parts_.gang->Leave();
  if (parts_.coordinator == nullptr) return end;
  parts_.on_waiting("coordinator", true);
  // However long the coordinator is away: what was computed is not given up.
  absl::Status drained;
  do {
    drained = parts_.coordinator->Drain(clock_->Now() + kDrainPatience);
  } while (absl::IsDeadlineExceeded(drained));
  parts_.on_waiting("coordinator", false);
  parts_.agent->SetMetric("mimeo_worker_checkpoint_step", static_cast<double>(parts_.coordinator->committed_step()));
  RETURN_IF_ERROR(drained);
  return end;
}

}  // namespace mimeo
