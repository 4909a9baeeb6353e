// The training loop of one rank: it takes the steps, and around them reports, checkpoints, evaluates and stops. One
// thread.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "proto/job.pb.h"
#include "worker/training/bad_samples.h"
#include "worker/training/batch_pipeline.h"
#include "worker/training/evaluation.h"
#include "worker/training/freed_memory.h"
#include "worker/training/model_parts.h"
#include "worker/training/ports.h"
#include "worker/training/step_reporter.h"
#include "worker/training/train_state.h"
#include "worker/training/train_step.h"

namespace mimeo {

// What the loop works with. Everything outlives the trainer; `evaluation` is null where the job has none.
struct TrainerParts {
  const ModelParts* model = nullptr;
  TrainState state;  // the model's
  TrainStep* step = nullptr;
  StepReporter* reporter = nullptr;
  Gang* gang = nullptr;
  BatchPipeline* batches = nullptr;
  const Dataset* dataset = nullptr;
  Evaluation* evaluation = nullptr;
  std::vector<FeatureSource*> evaluation_teachers;
  TrainingPorts ports;
};

// How a training ends without an error: after its last step, or because a stop was wanted.
enum class TrainEnd { kCompleted, kStopped };

// Each step begins with one small collective, in which the ranks say whether a stop is wanted and which bad samples
// they met. So no rank stands in a collective that another one leaves out, and all ranks know the same bad samples.
class Trainer {
 public:
  // `spec` is resolved, and `position` is where to start.
  Trainer(const JobSpec& spec, const TrainPosition& position, const TrainerParts& parts);

  // Blocks until every step is done and the last checkpoint is committed, or until a stop is wanted and its checkpoint
  // is committed. The ranks agree on stopping before each step and inside an evaluation, so all of them stop after the
  // same step. An evaluation that was stopped is made again after the resume. While the coordinator is away at the end,
  // it waits for as long as that takes.
  //
  // FailedPrecondition: the generation is fenced, the gradient was not finite in too many steps in a row (names the
  // samples), or the state is not finite where a checkpoint is due (names the tensor; the checkpoint before it stays
  // the newest). InvalidArgument, on every rank before the same step: too many samples of the job are bad (names the
  // first). Aborted: a member of the gang is gone, or libtorch threw.
  absl::StatusOr<TrainEnd> Run();

 private:
  absl::Status Advance();  // a step, and what is due after it; Cancelled: all ranks stop now
  // One step: the batch, the ranks' agreement, the update, and its report.
  absl::Status TakeStep();
  // How much of the training is done before the next step: 0 at the first step, 1 at the last.
  double Done() const;  // 0 at the first step, 1 at the last
  bool FeatureStatsDue() const;
  // The agreement. True: some rank stops, so all do. InvalidArgument: too many samples are bad.
  absl::StatusOr<bool> AnyRankStops(bool this_rank, const StepBatch& batch);
  // Says which images cannot be decoded: those of the training, and those that the evaluations have met.
  void ReportBadSamples();
  // After every checkpoint.every_steps steps, and after the last one. Likewise evaluations, which may also come first.
  bool CheckpointDue() const;
  bool EvaluationDue() const;
  absl::Status CheckpointIfDue();
  absl::Status EvaluateIfDue();
  // Takes a snapshot on the rank that has a sink, and hands it over. It does nothing where this step has one already.
  absl::Status Checkpoint();
  absl::Status Evaluate();
  // Reports what is left, checkpoints, disbands the gang, and on rank 0 waits until everything is committed.
  absl::StatusOr<TrainEnd> Finish(TrainEnd end);

  FreedMemory freed_memory_;
  const JobSpec spec_;
  const int64_t num_samples_;
  const int64_t total_steps_;
  const TrainerParts parts_;
  const TrainingPorts& ports_ = parts_.ports;
  Clock* const clock_ = Clock::Real();
  TrainPosition position_;
  BadSamples bad_samples_;
  // The newest step of which a snapshot was taken, or at which the training began.
  int64_t checkpointed_step_;
};

}  // namespace mimeo
