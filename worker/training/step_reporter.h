// What a step came to, told to the ports of status and steps. On a GPU a step is read while the next one computes, so
// that the host never stands in the training stream's way; on a CPU at once. One thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "proto/job.pb.h"
#include "proto/metrics.pb.h"
#include "worker/training/gang.h"
#include "worker/training/ports.h"
#include "worker/training/side_stream.h"
#include "worker/training/train_step.h"
#include "worker/training/utilization.h"

namespace mimeo {

// What the loop knows of a step when it has been started.
struct StepFacts {
  int64_t step = 0;  // its number, from 1
  double learning_rate = 0;
  absl::Duration data_wait, teacher_wait;
  std::vector<int64_t> sample_ids;  // of this rank
  int64_t bad_samples = 0;          // of the job, so far
};

class StepReporter {
 public:
  struct Parts {  // outlive the reporter
    Gang* gang = nullptr;
    const GradientReducer* reducer = nullptr;  // null: nothing is reduced
    TrainingPorts ports;
  };
  struct Options {
    int64_t steps_per_epoch = 1;
    at::Device device = at::kCPU;
    size_t steps_in_flight = 0;  // that are left unread while others are added: 1 on a GPU
  };
  StepReporter(const JobSpec& spec, const Options& options, const UtilizationMeter& meter, const Parts& parts);

  // Collective. Reports the steps before this one that may be read by now. FailedPrecondition: the loss was not finite
  // too many steps in a row (names the samples).
  absl::Status Add(const StepResult& result, StepFacts facts);
  // Collective: all that were added; every rank calls it after the same step. Errors as Add.
  absl::Status Flush();
  // Time until now is no step's: an evaluation or a snapshot.
  void RestartClock() { read_at_ = clock_->Now(); }

 private:
  // A step whose numbers are on their way to the host.
  struct Pending {
    StepFacts facts;
    std::vector<std::string> terms, stats;  // names of values
    at::Tensor values;                      // double, on the host: loss, terms, stats, skipped, gradient norm
    DeviceMark ready;
  };
  // Over the global batch.
  struct Means {
    double loss = 0;
    std::map<std::string, double> terms;
    std::map<std::string, double> stats;
    bool skipped = false;
    double grad_norm = 0;
  };

  absl::Status ReadOldest();
  absl::StatusOr<Means> Average(const Pending& pending);
  absl::Status CheckFinite(const Pending& pending, bool skipped);
  void Report(const Means& means, const StepFacts& facts, const Utilization& utilization);
  StepMetrics Describe(const Means& means, const StepFacts& facts, const Utilization& utilization,
                       double images_per_second) const;

  const JobSpec spec_;
  const Options options_;
  const UtilizationMeter meter_;
  const Parts parts_;
  Clock* const clock_ = Clock::Real();
  std::deque<Pending> pending_;
  absl::Time read_at_ = clock_->Now();  // the newest step was read
  int64_t skipped_steps_ = 0;
  int skipped_in_a_row_ = 0;
};

}  // namespace mimeo
