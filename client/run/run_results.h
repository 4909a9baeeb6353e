// Writes what a run leaves in its folder (design of the folder: README.md). One thread.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/run/run_plan.h"
#include "proto/coordinator.pb.h"
#include "proto/metrics.pb.h"

namespace mimeo {

struct RunResults {
  Job job;
  std::vector<StepMetrics> steps;
  std::vector<EvaluationResult> evaluations;
  double seconds = 0;
};

// metrics.jsonl, checkpoint.safetensors, encoder/, reconstructions/ and report.html. `checkpoint` is the downloaded
// file, with the optimizer's state. An error names the file or the child process that failed.
absl::Status WriteRunResults(const RunPlan& plan, const RunResults& results, const std::string& checkpoint);

// The evaluations before and after training, for people, one number in each line: k-NN beside its baselines, and losses
// on held-out images. Empty without evaluations.
std::string EvaluationSummary(const std::vector<EvaluationResult>& evaluations);

}  // namespace mimeo
