// What training needs from the world around it, as ports. worker/rank connects them to the agent and to the
// coordinator, and tests connect them to plain values. Neither training nor what it is built of knows gRPC. One more
// port is the teachers' (teacher/feature_source.h). Any thread may call any of them, and no call but Drain blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/progress.h"
#include "proto/checkpoint.pb.h"
#include "proto/data.pb.h"
#include "proto/metrics.pb.h"

namespace mimeo {

// What the rank knows of a step once its numbers have been read.
struct RankStep {
  int64_t step = 0;         // its number, from 1
  int64_t bad_samples = 0;  // of the whole job, so far
  double images_per_second = 0;
  Utilization utilization;
};

// Tells this rank's agent how the rank goes.
class StatusSink {
 public:
  virtual ~StatusSink() = default;
  virtual void ReportRankStep(const RankStep& step) = 0;
  // Says how many images of a data set cannot be decoded, as far as this job knows by now. `field` of the spec names
  // it: "evaluation.path".
  virtual void ReportUndecodable(const std::string& field, const PassedOver& row) = 0;
  // `name` is one of the catalogue of metrics (base/metric_catalog.h). The newest value counts.
  virtual void SetMetric(const std::string& name, double value) = 0;
  // Says that this rank stands still for `reason` ("coordinator", "teacher clip"), or no longer does. Several threads
  // may wait at once, some for the same reason, and each says when its own waiting is over.
  virtual void SetWaiting(const std::string& reason, bool waiting) = 0;
};

// Takes the numbers of a job's steps and evaluations.
class StepSink {
 public:
  virtual ~StepSink() = default;
  virtual void ReportStep(const StepMetrics& step) = 0;
  virtual void ReportEvaluation(const EvaluationResult& evaluation) = 0;
};

// Takes checkpoints and commits them while training goes on.
class CheckpointSink {
 public:
  virtual ~CheckpointSink() = default;
  // The sink fills in chunks, digests and content id. `serialize` gives the snapshot's safetensors stream: it is called
  // at most once, on a thread of the sink, and its error refuses the checkpoint. One snapshot is being written while
  // one waits; a newer one replaces the one that waits.
  virtual void SubmitCheckpoint(CheckpointManifest manifest,
                                std::function<absl::StatusOr<std::string>()> serialize) = 0;
  virtual int64_t committed_step() const = 0;  // the newest; 0: none of this run is committed
  // How long the newest committed checkpoint took: its manifest's pause, and its writing. Zero: none of this run is
  // committed.
  virtual absl::Duration checkpoint_time() const = 0;
  // Blocks until everything that was given so far, steps too, was handed over and committed. FailedPrecondition: the
  // run's generation is fenced, and nothing will ever be taken any more. InvalidArgument: the newest checkpoint was
  // refused, and no further attempt would change that. DeadlineExceeded: not yet; it may be called again.
  virtual absl::Status Drain(absl::Time deadline) = 0;
  virtual absl::Status status() const = 0;  // not OK once the generation is known to be fenced
};

// Polled. It returns true once a person asked for a stop or the worker leaves; training then takes a checkpoint and
// ends.
using StopWanted = std::function<bool()>;

// All ports of a rank. They are observed, and outlive what uses them.
struct TrainingPorts {
  StatusSink* status = nullptr;
  StepSink* steps = nullptr;              // null on all ranks but rank 0
  CheckpointSink* checkpoints = nullptr;  // null on all ranks but rank 0
  StopWanted stop_wanted = [] { return false; };
  Progress* progress = nullptr;  // counts everything that takes long
};

}  // namespace mimeo
