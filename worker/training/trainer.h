// The training loop of one rank: steps, and around them reports, checkpoints, evaluations and stopping. One thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/progress.h"
#include "proto/job.pb.h"
#include "worker/rank/coordinator_link.h"
#include "worker/rank/rank_link.h"
#include "worker/training/bad_samples.h"
#include "worker/training/batch_pipeline.h"
#include "worker/training/evaluation.h"
#include "worker/training/step_reporter.h"
#include "worker/training/train_state.h"
#include "worker/training/train_step.h"

namespace mimeo {

// What the loop works with. Everything outlives the trainer; `coordinator` is null but on rank 0, `evaluation` where
// the job has none.
struct TrainerParts {
  const Parameters* parameters = nullptr;
  const Encoder* encoder = nullptr;
  const ObjectiveSum* objectives = nullptr;
  AdamW* optimizer = nullptr;
  const ModelAverage* average = nullptr;  // null where the job keeps none
  TrainStep* step = nullptr;
  StepReporter* reporter = nullptr;
  Gang* gang = nullptr;
  BatchPipeline* pipeline = nullptr;
  const Dataset* dataset = nullptr;
  Evaluation* evaluation = nullptr;
  std::vector<FeatureSource*> evaluation_teachers;
  RankLink* agent = nullptr;
  CoordinatorLink* coordinator = nullptr;
  // Says what this rank stands still for, and when that is over.
  std::function<void(const std::string& reason, bool waiting)> on_waiting;
  const std::atomic<bool>* stop_wanted = nullptr;  // a person asked, or the worker leaves: checkpoint, then end
  Progress* progress = nullptr;                    // of everything that takes long
};

enum class TrainEnd { kCompleted, kStopped };

class Trainer {
 public:
  // `spec` is resolved. `position`: where to start.
  Trainer(const JobSpec& spec, int64_t num_samples, std::string dataset_digest, const TrainPosition& position,
          const TrainerParts& parts);

  // Until every step is done and the last checkpoint committed, or a stop is wanted and its checkpoint committed. The
  // ranks agree on stopping before each step and inside an evaluation, so all of them stop after the same step. An
  // evaluation that was stopped is made again after the resume. FailedPrecondition: the generation is fenced, the loss
  // was not finite too many steps in a row (names the samples), or the state is not finite where a checkpoint is due
  // (names the tensor; the checkpoint before it stays the newest). InvalidArgument, on every rank before the same step:
  // too many samples of the job are bad (names the first).
  absl::StatusOr<TrainEnd> Run();

 private:
  // What a step works on, and how long it was waited for.
  struct StepBatch {
    std::vector<ForwardPass> micro_batches;
    LoaderPosition next;
    absl::Duration data_wait, teacher_wait;
    std::vector<int64_t> sample_ids;
    std::vector<int64_t> bad_samples;
    bool complete = true;
  };

  absl::Status Advance();  // a step, and what is due after it; Cancelled: all ranks stop
  absl::Status TakeStep();
  absl::StatusOr<StepBatch> NextBatch();
  double Done() const;  // 0 at the first step, 1 at the last
  bool FeatureStatsDue() const;
  absl::StatusOr<bool> AnyRankStops(bool this_rank, const StepBatch& batch);
  bool CheckpointDue() const;
  bool EvaluationDue() const;
  absl::Status CheckpointIfDue();
  absl::Status EvaluateIfDue();
  absl::Status Checkpoint();
  absl::Status Evaluate();
  absl::StatusOr<TrainEnd> Finish(TrainEnd end);

  const JobSpec spec_;
  const int64_t num_samples_;
  const int64_t total_steps_;
  const std::string dataset_digest_;
  const TrainerParts parts_;
  Clock* const clock_ = Clock::Real();
  TrainPosition position_;
  BadSamples bad_samples_;
  int64_t checkpointed_step_;
};

}  // namespace mimeo
