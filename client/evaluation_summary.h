// What a job's evaluations say, for a person who has never measured an encoder: accuracies beside what they are to be
// compared with, and losses. The other numbers (docs/evaluation.md) are in `mimeo metrics` and evaluations.jsonl. Pure;
// thread-safe.
#pragma once

#include <string>
#include <vector>

#include "proto/job.pb.h"
#include "proto/metrics.pb.h"

namespace mimeo {

// What a job begins with.
enum class StartKind {
  kUntrained,  // random weights
  kWeights     // those of its init_weights
};

StartKind StartOf(const JobSpec& spec);

// "untrained encoder" or "weights it started from": what an evaluation at step 0 is of.
std::string StartRow(StartKind start);

// One evaluation in one line: "evaluation at step 90: k-NN is right for 29.0 % of the held-out images (raw pixels 45.0
// %, always the most frequent class 20.0 %); held-out loss of pixels 0.700". What was not measured is not spoken of.
std::string EvaluationLine(const EvaluationResult& evaluation, StartKind start);

// What the evaluations before and after training say, one number in each line: the accuracy of k-NN beside that of its
// baselines, and the losses on held-out images. `evaluations` are ascending by step. Empty when there are none.
std::string EvaluationSummary(const std::vector<EvaluationResult>& evaluations, StartKind start);

}  // namespace mimeo
