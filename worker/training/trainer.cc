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
constexpr absl::Duration kDrainPatienceAfterFailure = absl::Seconds(10);
constexpr int64_t kFeatureStatsEverySteps = 10;

}  // namespace

Trainer::Trainer(const JobSpec& spec, const TrainPosition& position, const TrainerParts& parts)
    : spec_(spec),
      num_samples_(parts.dataset->size()),
      total_steps_(TotalSteps(spec, num_samples_)),
      parts_(parts),
      position_(position),
      bad_samples_(parts.dataset, spec.data(), position.bad_samples),
      checkpointed_step_(position.step) {}

absl::StatusOr<TrainEnd> Trainer::Run() {
  ReportBadSamples();  // those of the checkpoint
  // After a resume this may measure again what was measured already; that it was heard of is not in the checkpoint.
  absl::Status status = EvaluateIfDue();
  parts_.reporter->RestartClock();
  while (status.ok() && position_.step < total_steps_) {
    status = Advance();
    if (status.ok() && ports_.checkpoints != nullptr) RETURN_IF_ERROR(ports_.checkpoints->status());
  }
  if (absl::IsCancelled(status)) return Finish(TrainEnd::kStopped);
  if (status.ok()) return Finish(TrainEnd::kCompleted);
  // The checkpoint before may still be on its way: without it, more steps than the failed one would be lost.
  if (ports_.checkpoints != nullptr) {
    ports_.progress->Do("hands over the checkpoint before the failure");
    ports_.checkpoints->Drain(clock_->Now() + kDrainPatienceAfterFailure).IgnoreError();
  }
  return status;
}

absl::Status Trainer::Advance() {
  RETURN_IF_ERROR(TakeStep());
  RETURN_IF_ERROR(CheckpointIfDue());
  return EvaluateIfDue();
}

absl::Status Trainer::TakeStep() {
  ports_.progress->Do(absl::StrCat("waits for the images of step ", position_.step + 1));
  absl::StatusOr<StepBatch> batch = parts_.batches->NextStep();
  ports_.progress->Do(absl::StrCat("begins step ", position_.step + 1));
  const bool cancelled = absl::IsCancelled(batch.status());
  if (!cancelled) RETURN_IF_ERROR(batch.status());
  const StepBatch none;
  ASSIGN_OR_RETURN(const bool stop, AnyRankStops(cancelled || ports_.stop_wanted(), cancelled ? none : *batch));
  if (stop) return absl::CancelledError("told to stop");
  const double rate = LearningRate(spec_, position_.step, num_samples_);
  ASSIGN_OR_RETURN(const StepResult result,
                   parts_.step->Run(batch->micro_batches, {rate, Done(), FeatureStatsDue(), position_.step + 1}));
  ports_.progress->Do(absl::StrCat("ends step ", position_.step + 1));
  freed_memory_.AfterStep();
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

double Trainer::Done() const { return ProgressAt(spec_.schedule(), position_.step, total_steps_); }

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
  if (all[1] > 0) {
    RETURN_IF_ERROR(bad_samples_.Share(bad, parts_.gang));
    ReportBadSamples();
  }
  if (all[1] > 0 || all[2] > 0) RETURN_IF_ERROR(bad_samples_.Check(/*enough_good=*/all[2] == 0));
  return false;
}

void Trainer::ReportBadSamples() {
  // Only rank 0 reports for the gang, so only it reads what there is to report.
  if (ports_.steps == nullptr) return;
  if (!bad_samples_.all().empty()) ports_.status->ReportUndecodable("data.path", bad_samples_.Row());
  if (parts_.evaluation == nullptr) return;
  for (const auto& [field, row] : parts_.evaluation->Undecodable()) ports_.status->ReportUndecodable(field, row);
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
  if (ports_.checkpoints == nullptr || checkpointed_step_ == position_.step) return absl::OkStatus();
  ports_.progress->Do(absl::StrCat("takes a snapshot of step ", position_.step));
  const absl::Time began = clock_->Now();
  position_.bad_samples = bad_samples_.all();
  ASSIGN_OR_RETURN(const std::shared_ptr<const TrainSnapshot> snapshot,
                   CatchTorch([&] { return TrainSnapshot::Take(parts_.state, spec_, position_); }));
  const double pause = absl::ToDoubleSeconds(clock_->Now() - began);
  ports_.status->SetMetric("mimeo_worker_checkpoint_pause_seconds", pause);
  ports_.status->SetMetric("mimeo_worker_checkpoint_bytes", static_cast<double>(snapshot->bytes()));
  CheckpointManifest manifest;
  manifest.set_step(position_.step);
  *manifest.mutable_position() = position_.next;
  manifest.set_dataset_digest(parts_.dataset->digest());
  manifest.set_pause_seconds(pause);
  manifest.mutable_created()->set_seconds(absl::ToUnixSeconds(clock_->Wall()));
  ports_.checkpoints->SubmitCheckpoint(
      std::move(manifest), [snapshot] { return CatchTorch([&snapshot] { return snapshot->Serialize(); }); });
  checkpointed_step_ = position_.step;
  return absl::OkStatus();
}

absl::Status Trainer::Evaluate() {
  ports_.progress->Do(absl::StrCat("evaluates step ", position_.step));
  const ModelAverage* const average = parts_.model->average.get();
  const EvaluatedModel model = {parts_.model->encoder.get(), parts_.model->objectives.get(),
                                average == nullptr ? nullptr : &average->encoder()};
  const auto result = parts_.evaluation->Run(position_.step, model, parts_.evaluation_teachers, parts_.gang);
  RETURN_IF_ERROR(result.status());
  ReportBadSamples();
  if (ports_.steps != nullptr) ports_.steps->ReportEvaluation(*result);
  return absl::OkStatus();
}

absl::StatusOr<TrainEnd> Trainer::Finish(TrainEnd end) {
  RETURN_IF_ERROR(parts_.reporter->Flush());
  RETURN_IF_ERROR(Checkpoint());
  parts_.gang->Disband();
  if (ports_.checkpoints == nullptr) return end;
  ports_.progress->Do(absl::StrCat("hands over the checkpoint of step ", position_.step));
  ports_.status->SetWaiting("coordinator", true);
  // However long the coordinator is away: what was computed is not given up.
  absl::Status drained;
  do {
    drained = ports_.checkpoints->Drain(clock_->Now() + kDrainPatience);
  } while (absl::IsDeadlineExceeded(drained));
  ports_.status->SetWaiting("coordinator", false);
  ports_.status->SetMetric("mimeo_worker_checkpoint_step", static_cast<double>(ports_.checkpoints->committed_step()));
  RETURN_IF_ERROR(drained);
  return end;
}

}  // namespace mimeo
