// The verdict on a run: what its encoder is worth, in words. One thread.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/run/run_plan.h"
#include "proto/metrics.pb.h"

namespace mimeo {

// A JSON value may throw when it is moved, by what its library declares.
struct RunVerdict {                // NOLINT(bugprone-exception-escape)
  std::vector<std::string> lines;  // plain sentences
  nlohmann::ordered_json json;     // {"lines": [...], "compare": what `worker compare` printed}
};

// Judges OUT/encoder on the photos that were not trained on, by `worker compare` and beside the teacher that it has
// mimicked, where there is one; and writes OUT/verdict.json.
// Without labels there is nothing to compare, and the verdict says so and what the held-out losses did. It blocks for
// seconds or minutes. `evaluations` are the run's, ascending by step.
//
// The comparison may fail: then the verdict says that there is none and why, because the encoder is there all the same.
// The errors are those of writing the file.
absl::StatusOr<RunVerdict> JudgeRun(const RunPlan& plan, const std::vector<EvaluationResult>& evaluations);

// What JudgeRun wrote into the folder of a run; empty where it has not.
RunVerdict ReadVerdict(const std::string& out);

// The verdict where no labels can judge the encoder at `encoder_path`. Pure.
std::vector<std::string> VerdictWithoutLabels(const std::vector<EvaluationResult>& evaluations,
                                              const std::string& encoder_path);

}  // namespace mimeo
