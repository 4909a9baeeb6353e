#include "worker/training/batch_pipeline.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/status_macros.h"
#include "model/catch_torch.h"
#include "teacher/attach_or_stop.h"

namespace mimeo {

BatchPipeline::BatchPipeline(Loader* loader, std::vector<FeatureSource*> teachers, const Options& options)
    : loader_(loader),
      teachers_(std::move(teachers)),
      options_(options),
      stream_(options.device),
      queue_(static_cast<size_t>(limits::kBatchesPrefetched * options.micro_batches_per_step)),
      thread_([this] { Run(); }) {}

BatchPipeline::~BatchPipeline() {
  closing_ = true;
  loader_->Close();
  queue_.Close();
  thread_.join();
}

void BatchPipeline::Run() {
  while (true) {
    absl::StatusOr<PreparedBatch> batch = CatchTorch([this] { return Prepare(); });
    if (!batch.ok()) return queue_.Close(batch.status());
    if (!queue_.Push(*std::move(batch)).ok()) return;
  }
}

absl::StatusOr<PreparedBatch> BatchPipeline::Prepare() {
  ASSIGN_OR_RETURN(const Batch batch, loader_->Next());
  PreparedBatch prepared;
  prepared.bad_samples = batch.bad_samples;
  prepared.complete = batch.complete;
  if (!batch.complete) return prepared;
  absl::Status attached;
  RETURN_IF_ERROR(CatchTorch([&] {
    prepared.ready = stream_.Run(DeviceMark(), [&] {
      prepared.pass = options_.views->Make(batch, options_.drop_path_rates);
      const absl::Time began = clock_->Now();
      attached = AttachFeatures(batch, &prepared.pass.views);
      prepared.teacher_time = clock_->Now() - began;
    });
  }));
  RETURN_IF_ERROR(attached);
  prepared.sample_ids = batch.sample_ids;
  prepared.next = batch.next;
  return prepared;
}

absl::StatusOr<PreparedBatch> BatchPipeline::Next() {
  ASSIGN_OR_RETURN(PreparedBatch batch, queue_.Pop());
  RETURN_IF_ERROR(CatchTorch([&] {
    batch.ready.AwaitOnStream();
    // The stream that trains reads what the pipeline's stream made.
    for (const at::Tensor* tensor : InputTensors(&batch.pass)) HandOver(*tensor);
  }));
  return batch;
}

absl::StatusOr<StepBatch> BatchPipeline::NextStep() {
  StepBatch step;
  for (int64_t i = 0; i < options_.micro_batches_per_step; ++i) {
    const absl::Time asked = clock_->Now();
    ASSIGN_OR_RETURN(PreparedBatch batch, Next());
    const absl::Duration waited = clock_->Now() - asked;
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

absl::Status BatchPipeline::AttachFeatures(const Batch& batch, std::vector<ViewInput>* views) {
  const auto stop_wanted = [this] { return closing_ || options_.stop_wanted(); };
  for (FeatureSource* teacher : teachers_) RETURN_IF_ERROR(AttachOrStop(teacher, batch, stop_wanted, views));
  return absl::OkStatus();
}

}  // namespace mimeo
