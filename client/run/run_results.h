// Writes what a run leaves in its folder; README.md says what is in it. One thread.
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
  std::vector<StepMetrics> steps;             // ascending by step
  std::vector<EvaluationResult> evaluations;  // likewise
  double seconds = 0;  // from the start of the processes to their end, in the last session of the run
};

// Writes metrics.jsonl, evaluations.jsonl, checkpoint.safetensors, encoder/, encoder_average/ where the job has an
// average, and reconstructions/ where it reconstructs. `checkpoint` is the file that was downloaded, with the state of
// the optimizer. Much of the work is done by `worker` as a child process, so this blocks for seconds or minutes. An
// error names the file or the child process that failed; what was written before stays, and to call it again writes
// everything anew.
absl::Status WriteRunResults(const RunPlan& plan, const RunResults& results, const std::string& checkpoint);

// Writes report.html from the folder and the results. To be called last, after everything that the report speaks of, as
// verdict.json: its being there says that the run is done and its results are whole.
absl::Status WriteRunReport(const RunPlan& plan, const RunResults& results);

}  // namespace mimeo
