#include "worker/training/batch_pipeline.h"

#include <utility>

#include "base/limits.h"
#include "base/status_macros.h"
#include "model/mask_plan.h"
#include "model/patches.h"
#include "worker/training/gang.h"

namespace mimeo {
namespace {

// How often a pipeline that waits for a teacher looks whether it should end.
constexpr absl::Duration kStopPoll = absl::Seconds(1);

}  // namespace

std::vector<ViewInput> MakeViews(const Batch& batch, int num_patches, int num_visible, at::Device device) {
  std::vector<ViewInput> views;
  for (size_t v = 0; v < batch.views_BCHW.size(); ++v) {
    std::vector<RandomKey> keys;
    for (const RandomKey& key : batch.keys) keys.push_back(key.Fold("mask").Fold(v));
    ViewInput view;
    view.images_BCHW = NormalizePixels(batch.views_BCHW[v].to(device), ImageNetStatistics());
    view.plan = ToDevice(RandomMaskPlan(keys, num_patches, num_visible), device);
    views.push_back(std::move(view));
  }
  return views;
}

BatchPipeline::BatchPipeline(Loader* loader, std::vector<FeatureSource*> teachers, const Options& options)
    : loader_(loader), teachers_(std::move(teachers)), options_(options),
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
    absl::StatusOr<PreparedBatch> batch = Prepare();
    if (!batch.ok()) return queue_.Close(batch.status());
    if (!queue_.Push(*std::move(batch)).ok()) return;
  }
}

absl::StatusOr<PreparedBatch> BatchPipeline::Prepare() {
  ASSIGN_OR_RETURN(const Batch batch, loader_->Next());
  PreparedBatch prepared;
  RETURN_IF_ERROR(CatchTorch([&] {
    prepared.views = MakeViews(batch, options_.num_patches, options_.num_visible, options_.device);
  }));
  const absl::Time began = clock_->Now();
  RETURN_IF_ERROR(AttachFeatures(batch, &prepared.views));
  prepared.teacher_time = clock_->Now() - began;
  prepared.sample_ids = batch.sample_ids;
  prepared.next = batch.next;
  return prepared;
}

absl::Status BatchPipeline::AttachFeatures(const Batch& batch, std::vector<ViewInput>* views) {
  for (FeatureSource* teacher : teachers_) {
    absl::Status status;
    do {
      if (closing_ || options_.stop_wanted()) {
        return absl::CancelledError("told to stop while waiting for teacher " + teacher->name());
      }
      status = teacher->Attach(batch, clock_->Now() + kStopPoll, views);
    } while (absl::IsDeadlineExceeded(status));
    RETURN_IF_ERROR(status);
  }
  return absl::OkStatus();
}

}  // namespace mimeo
