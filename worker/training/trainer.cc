#include "worker/training/trainer.h"

#include <ATen/ops/zeros.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "job/job_shape.h"
#include "model/catch_torch.h"
#include "worker/training/schedule.h"

namespace mimeo {
namespace {

constexpr absl::Duration kDrainPatience = absl::Minutes(1);
constexpr int64_t kFeatureStatsEverySteps = 10;

}  // namespace

Trainer::Trainer(const JobSpec& spec, int64_t num_samples, std::string dataset_digest, const TrainPosition& position,
                 const TrainerParts& parts)
    : spec_(spec),
      num_samples_(num_samples),
      total_steps_(TotalSteps(spec, num_samples)),
      dataset_digest_(std::move(dataset_digest)),
      parts_(parts),
      position_(position),
      bad_samples_(parts.dataset, spec.data(), position.bad_samples),
      checkpointed_step_(position.step) {}

absl::StatusOr<TrainEnd> Trainer::Run() {
  // After a resume this may measure again what was measured already; that it was heard of is not in the checkpoint.
  absl::Status status = EvaluateIfDue();
  parts_.reporter->RestartClock();
  while (status.ok() && position_.step < total_steps_) {
    status = Advance();
    if (status.ok() && parts_.coordinator != nullptr) RETURN_IF_ERROR(parts_.coordinator->status());
  }
  if (absl::IsCancelled(status)) return Finish(TrainEnd::kStopped);
  RETURN_IF_ERROR(status);
  return Finish(TrainEnd::kCompleted);
}

absl::Status Trainer::Advance() {
  RETURN_IF_ERROR(TakeStep());
  RETURN_IF_ERROR(CheckpointIfDue());
  return EvaluateIfDue();
}

absl::Status Trainer::TakeStep() {
  absl::StatusOr<StepBatch> batch = NextBatch();
  parts_.progress->Do(absl::StrCat("begins step ", position_.step + 1));
  const bool cancelled = absl::IsCancelled(batch.status());
  if (!cancelled) RETURN_IF_ERROR(batch.status());
  const StepBatch none;
  ASSIGN_OR_RETURN(const bool stop, AnyRankStops(cancelled || *parts_.stop_wanted, cancelled ? none : *batch));
  if (stop) return absl::CancelledError("told to stop");
  const double rate = LearningRate(spec_, position_.step, num_samples_);
  ASSIGN_OR_RETURN(const StepResult result,
                   parts_.step->Run(batch->micro_batches, {rate, Done(), FeatureStatsDue(), position_.step + 1}));
  parts_.progress->Do(absl::StrCat("ends step ", position_.step + 1));
  ++position_.step;
  position_.next = batch->next;
  StepFacts facts = {position_.step,
                     rate,
                     batch->data_wait,
                     batch->teacher_wait,
                     std::move(batch->sample_ids),
                     static_cast<int64_t>(bad_samples_.all().size())};
  return parts_.reporter->Add(result, std::move(facts));
}

// Not on each step: the effective rank is a decomposition.
bool Trainer::FeatureStatsDue() const {
  const int64_t step = position_.step + 1;
  return step == 1 || step == total_steps_ || step % kFeatureStatsEverySteps == 0;
}

double Trainer::Done() const {
  return total_steps_ > 1 ? static_cast<double>(position_.step) / static_cast<double>(total_steps_ - 1) : 0;
}

// Asked before a step's own collectives, by the ranks that wait for a teacher in vain too: so no rank stands in a
// collective that another one left out. Bad samples are agreed on in the same breath, so that too many of them end
// every rank before the same step.
absl::StatusOr<bool> Trainer::AnyRankStops(bool this_rank, const StepBatch& batch) {
  const std::vector<int64_t> bad = bad_samples_.NewAmong(batch.bad_samples);
  at::Tensor said = at::zeros({3}, at::kDouble);
  double* const own = said.mutable_data_ptr<double>();
  own[0] = this_rank ? 1 : 0, own[1] = static_cast<double>(bad.size()), own[2] = batch.complete ? 0 : 1;
  RETURN_IF_ERROR(parts_.gang->Sum(said));
  const double* const all = said.const_data_ptr<double>();
  if (all[0] > 0) return true;  // that step's bad samples will be met again
  if (all[1] > 0) RETURN_IF_ERROR(bad_samples_.Share(bad, parts_.gang));
  if (all[1] > 0 || all[2] > 0) RETURN_IF_ERROR(bad_samples_.Check(/*enough_good=*/all[2] == 0));
  return false;
}

absl::StatusOr<Trainer::StepBatch> Trainer::NextBatch() {
  StepBatch step;
  parts_.progress->Do(absl::StrCat("waits for the images of step ", position_.step + 1));
  for (int64_t i = 0; i < AccumulationSteps(spec_); ++i) {
    const absl::Time asked = clock_->Now();
    ASSIGN_OR_RETURN(PreparedBatch batch, parts_.pipeline->Next());
    const absl::Duration waited = clock_->Now() - asked;
    // Of the time that this rank stood still, the teacher answers for at most the time that it took.
    const absl::Duration teacher = std::min(waited, batch.teacher_time);
    step.teacher_wait += teacher;
    step.data_wait += waited - teacher;
    step.sample_ids.insert(step.sample_ids.end(), batch.sample_ids.begin(), batch.sample_ids.end());
    step.bad_samples.insert(step.bad_samples.end(), batch.bad_samples.begin(), batch.bad_samples.end());
    step.complete &= batch.complete;
    step.next = batch.next;
    step.micro_batches.push_back(std::move(batch.pass));
  }
  return step;
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

absl::Status Trainer::CheckpointIfDue() {
  if (!CheckpointDue()) return absl::OkStatus();
  RETURN_IF_ERROR(parts_.reporter->Flush());
  RETURN_IF_ERROR(Checkpoint());
  parts_.reporter->RestartClock();
  return absl::OkStatus();
}

absl::Status Trainer::EvaluateIfDue() {
  if (!EvaluationDue()) return absl::OkStatus();
  RETURN_IF_ERROR(parts_.reporter->Flush());
  RETURN_IF_ERROR(Evaluate());
  parts_.reporter->RestartClock();
  return absl::OkStatus();
}

absl::Status Trainer::Checkpoint() {
  if (parts_.coordinator == nullptr || checkpointed_step_ == position_.step) return absl::OkStatus();
  parts_.progress->Do(absl::StrCat("takes a snapshot of step ", position_.step));
  const absl::Time began = clock_->Now();
  position_.bad_samples = bad_samples_.all();
  ASSIGN_OR_RETURN(
      const std::shared_ptr<const TrainSnapshot> snapshot, CatchTorch([&] {
        return TrainSnapshot::Take({parts_.parameters, parts_.optimizer, parts_.average}, spec_, position_);
      }));
  const double pause = absl::ToDoubleSeconds(clock_->Now() - began);
  parts_.agent->SetMetric("mimeo_worker_checkpoint_pause_seconds", pause);
  parts_.agent->SetMetric("mimeo_worker_checkpoint_bytes", static_cast<double>(snapshot->bytes()));
  CheckpointManifest manifest;
  manifest.set_step(position_.step);
  *manifest.mutable_position() = position_.next;
  manifest.set_dataset_digest(dataset_digest_);
  manifest.set_pause_seconds(pause);
  manifest.mutable_created()->set_seconds(absl::ToUnixSeconds(clock_->Wall()));
  parts_.coordinator->SubmitCheckpoint(
      std::move(manifest), [snapshot] { return CatchTorch([&snapshot] { return snapshot->Serialize(); }); });
  checkpointed_step_ = position_.step;
  return absl::OkStatus();
}

absl::Status Trainer::Evaluate() {
  parts_.progress->Do(absl::StrCat("evaluates step ", position_.step));
  const EvaluatedModel model = {parts_.encoder, parts_.objectives,
                                parts_.average == nullptr ? nullptr : &parts_.average->encoder()};
  const auto result = parts_.evaluation->Run(position_.step, model, parts_.evaluation_teachers, parts_.gang);
  RETURN_IF_ERROR(result.status());
  if (parts_.coordinator != nullptr) parts_.coordinator->ReportEvaluation(*result);
  return absl::OkStatus();
}

absl::StatusOr<TrainEnd> Trainer::Finish(TrainEnd end) {
  RETURN_IF_ERROR(parts_.reporter->Flush());
  RETURN_IF_ERROR(Checkpoint());
  parts_.gang->Leave();
  if (parts_.coordinator == nullptr) return end;
  parts_.progress->Do(absl::StrCat("hands over the checkpoint of step ", position_.step));
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
