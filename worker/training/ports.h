// What training needs of the world around it, as ports. worker/rank connects them to the agent and to the coordinator,
// tests to plain values; neither training nor what it is built of knows gRPC. One more port is the teachers'
// (teacher/feature_source.h). Thread-safe, all of them; no call but Drain blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/progress.h"
#include "proto/checkpoint.pb.h"
#include "proto/metrics.pb.h"

namespace mimeo {

// What a step that was read says of the rank that took it.
struct RankStep {
  int64_t step = 0;         // its number, from 1
  int64_t bad_samples = 0;  // of the job, so far
  double images_per_second = 0;
  Utilization utilization;
};

// How this rank goes, for its agent.
class StatusSink {
 public:
  virtual ~StatusSink() = default;
  virtual void ReportRankStep(const RankStep& step) = 0;
  // `name` is one of the catalogue of metrics; the newest value counts.
  virtual void SetMetric(const std::string& name, double value) = 0;
  // That this rank stands still for `reason` ("coordinator", "teacher clip"), or no longer. Several threads may wait at
  // once, some for the same reason; each says when its own waiting is over.
  virtual void SetWaiting(const std::string& reason, bool waiting) = 0;
};

// What a job's steps and evaluations came to.
class StepSink {
 public:
  virtual ~StepSink() = default;
  virtual void ReportStep(const StepMetrics& step) = 0;
  virtual void ReportEvaluation(const EvaluationResult& evaluation) = 0;
};

// Takes checkpoints and commits them behind training's back.
class CheckpointSink {
 public:
  virtual ~CheckpointSink() = default;
  // The sink fills in chunks, digests and content id. `serialize` gives the snapshot's safetensors stream: it is called
  // at most once, on a thread of the sink, and an error of it refuses the checkpoint. One snapshot is being written,
  // one waits, and a newer one replaces the one that waits.
  virtual void SubmitCheckpoint(CheckpointManifest manifest,
                                std::function<absl::StatusOr<std::string>()> serialize) = 0;
  virtual int64_t committed_step() const = 0;  // 0: none of this run
  // What the newest committed checkpoint took: its manifest's pause, and its writing. Zero: none of this run.
  virtual absl::Duration checkpoint_time() const = 0;
  // Waits until everything given so far, steps too, was handed over and committed. FailedPrecondition: the run's
  // generation is fenced, and nothing more will ever be taken. DeadlineExceeded.
  virtual absl::Status Drain(absl::Time deadline) = 0;
  virtual absl::Status status() const = 0;  // not OK once the generation is known to be fenced
};

// Polled: true once a person asked for a stop, or the worker leaves. Training then takes a checkpoint and ends.
using StopWanted = std::function<bool()>;

// All of a rank's ports. Observed; they outlive what uses them.
struct TrainingPorts {
  StatusSink* status = nullptr;
  StepSink* steps = nullptr;              // null but on rank 0
  CheckpointSink* checkpoints = nullptr;  // likewise
  StopWanted stop_wanted = [] { return false; };
  Progress* progress = nullptr;  // of everything that takes long
};

}  // namespace mimeo
