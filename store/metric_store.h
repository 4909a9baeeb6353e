// Step metrics and evaluations by (job, step). Thread-safe. Buffered: a crash of the machine may lose the newest.
// A report of a later generation replaces that of an earlier one for the same step; never the other way round.
// InvalidArgument, and nothing is stored: a negative step, or more distinct names of metrics than
// limits::kMetricNamesPerJob over the job's whole life (names that were reported to a version which did not count them
// are counted when they come again).
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "proto/metrics.pb.h"
#include "store/key_value_store.h"

namespace mimeo {

class MetricStore {
 public:
  explicit MetricStore(KeyValueStore* store) : store_(store) {}

  absl::Status PutSteps(absl::string_view job_id, const std::vector<StepMetrics>& steps);
  absl::Status PutEvaluations(absl::string_view job_id, const std::vector<EvaluationResult>& evaluations);
  // At most `limit`, by step, with step > after_step; a negative after_step is before all.
  absl::StatusOr<std::vector<StepMetrics>> Steps(absl::string_view job_id, int64_t after_step, int limit) const;
  absl::StatusOr<std::vector<EvaluationResult>> Evaluations(absl::string_view job_id, int64_t after_step,
                                                            int limit) const;

 private:
  KeyValueStore* const store_;
  absl::Mutex mu_;  // makes reading what is stored (generations, names) and writing the new record one step
};

}  // namespace mimeo
