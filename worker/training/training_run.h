// One training on one rank: the parts of a job, put together in the one right order, for ranks, recipe tests and
// benchmarks alike. What differs between those is handed in: data, teachers, gang and ports.
//
//   TrainingRun run(setting);
//   run.MakeModel(teachers);                   weights, their average, encoder, objectives, optimizer
//   RestoreTrainState(stream, run.state());    where there is a checkpoint to go on from
//   run.MakeStep(gang);                        forward, backward and reduction, settled on a blank pass
//   run.OpenBatches(dataset, last_step, next)  loader and pipeline
//   run.Train(...)                             or steps taken by hand
//
// One thread, and those of its parts.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/progress.h"
#include "data/dataset.h"
#include "data/loader.h"
#include "proto/event.pb.h"
#include "proto/job.pb.h"
#include "teacher/feature_source.h"
#include "worker/training/batch_pipeline.h"
#include "worker/training/evaluation.h"
#include "worker/training/gang.h"
#include "worker/training/model_parts.h"
#include "worker/training/ports.h"
#include "worker/training/step_parts.h"
#include "worker/training/step_reporter.h"
#include "worker/training/train_state.h"
#include "worker/training/trainer.h"
#include "worker/training/views.h"

namespace mimeo {

// What stays the same for all that a run does.
struct RunSetting {
  JobSpec spec;  // resolved
  at::Device device = at::kCPU;
  int rank = 0;
  int num_ranks = 1;  // W: the gang's size, whatever the spec asks for
  StopWanted stop_wanted = [] { return false; };
  Progress* progress = nullptr;  // outlives the run; null: nobody looks
};

// What Train works with beside the run's own parts. What it points to is observed, and outlives the call.
struct Training {
  const Dataset* dataset = nullptr;  // the one that OpenBatches was given
  TrainPosition position;            // where to start
  DeviceInfo device;                 // describes the run's device
  Evaluation* evaluation = nullptr;  // null: nothing is measured on the way
  std::vector<FeatureSource*> evaluation_teachers;
  TrainingPorts ports;
};

class TrainingRun {
 public:
  explicit TrainingRun(RunSetting setting);
  ~TrainingRun();
  TrainingRun(const TrainingRun&) = delete;
  TrainingRun& operator=(const TrainingRun&) = delete;

  // `teachers` outlive the run. Only their request and width are looked at here. The errors are those of
  // MakeModelParts.
  absl::Status MakeModel(std::vector<FeatureSource*> teachers);

  // A collective. `gang` outlives the run and has the setting's rank and size. It may be joined after MakeModel,
  // because by then everything is done that can fail on one rank alone. The errors are those of MakeStepParts; Aborted:
  // a member is gone.
  absl::Status MakeStep(Gang* gang);

  // Opens the steps [start, last_step) of `dataset`, which outlives the run. From now on the teachers are asked. The
  // errors are those of Loader::Open.
  absl::Status OpenBatches(const Dataset* dataset, int64_t last_step, const LoaderPosition& start);

  // Does what Trainer::Run does, after all of the above. REQUIRES: the setting has a progress.
  absl::StatusOr<TrainEnd> Train(const Training& training);

  // A pass with the shape of a micro-batch and without its content: `rows` black images in each view, under a mask as
  // the job draws it, with teacher features of zero. REQUIRES: MakeModel was called.
  ForwardPass BlankPass(int64_t rows) const;

  const JobSpec& spec() const { return setting_.spec; }
  const ModelParts& model() const { return model_; }
  TrainState state() const { return {model_.parameters.get(), model_.optimizer.get(), model_.average.get()}; }
  TrainStep* step() const { return step_.step.get(); }
  BatchPipeline* batches() const { return batches_.get(); }

 private:
  const RunSetting setting_;
  const ViewMaker views_;
  std::vector<FeatureSource*> teachers_;
  Gang* gang_ = nullptr;
  // Destroyed from the last to the first: the pipeline ends before its loader, and the step before the model.
  ModelParts model_;
  StepParts step_;
  std::unique_ptr<Loader> loader_;
  std::unique_ptr<BatchPipeline> batches_;
  std::unique_ptr<StepReporter> reporter_;
};

}  // namespace mimeo
