// Tells the ports of status and steps what a step came to. On a GPU a step is read while the next one computes, so that
// the host never stands in the way of the training stream. On a CPU it is read at once. One thread.
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

// What the loop knows about a step when it has been started.
struct StepFacts {
  int64_t step = 0;  // its number, from 1
  double learning_rate = 0;
  absl::Duration data_wait, teacher_wait;
  std::vector<int64_t> sample_ids;  // of this rank
  int64_t bad_samples = 0;          // of the job, so far
};

// The means over the global batch need a collective for each step. It is made when a step is read. On a GPU that is one
// step later, when its numbers are usually on the host already.
class StepReporter {
 public:
  struct Parts {  // they outlive the reporter
    Gang* gang = nullptr;
    // Asked how long the step waited for other ranks' gradients.
    const GradientReducer* reducer = nullptr;  // null: nothing is reduced
    TrainingPorts ports;
  };
  struct Options {
    // Turns a step's number into a fraction of epochs.
    int64_t steps_per_epoch = 1;
    at::Device device = at::kCPU;
    size_t steps_in_flight = 0;  // how many are left unread while others are added: 1 on a GPU, 0 on a CPU
  };
  StepReporter(const JobSpec& spec, const Options& options, const UtilizationMeter& meter, const Parts& parts);

  // A collective: all ranks add the same steps. It reports the steps that may be read by now. FailedPrecondition: the
  // gradient was not finite in limits::kNonFiniteStepsInARow steps in a row; the message names the samples. Aborted: a
  // member of the gang is gone.
  absl::Status Add(const StepResult& result, StepFacts facts);
  // A collective, which reports everything that was added. Every rank calls it after the same step. The errors are
  // those of Add.
  absl::Status Flush();
  // Says that the time until now belongs to no step, but to an evaluation or a snapshot.
  void RestartClock() { read_at_ = clock_->Now(); }

 private:
  // A step whose numbers are on their way to the host.
  struct Pending {
    StepFacts facts;
    std::vector<std::string> terms, stats;  // names of values
    at::Tensor values;                      // double, on the host: loss, terms, stats, skipped, gradient norm
    DeviceMark ready;
  };
  // A step's numbers over the global batch: means over the ranks.
  struct Means {
    double loss = 0;
    std::map<std::string, double> terms;
    std::map<std::string, double> stats;
    bool skipped = false;
    double grad_norm = 0;
  };

  // Reads the oldest step, averages it over the ranks, and reports it. A collective.
  absl::Status ReadOldest();
  absl::StatusOr<Means> Average(const Pending& pending);
  // Counts steps that were skipped. It warns of each one, and after too many in a row it returns an error.
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
  absl::Time read_at_ = clock_->Now();  // when the newest step was read
  // Skipped steps of this generation, and how many of the newest steps were skipped without a good one between them.
  int64_t skipped_steps_ = 0;
  int skipped_in_a_row_ = 0;
};

}  // namespace mimeo
