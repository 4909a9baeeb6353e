// The metrics of steps and the results of evaluations, by job and step. Thread-safe; every call may block on the disk.
//
// A job may train a step again, after a restart from a checkpoint. Then the report of the later generation replaces
// that of the earlier one, and never the other way round; a report that comes twice is stored once. Writes are
// buffered: a crash of the machine may lose the newest ones, which costs some points of a curve.
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
  // `store` must outlive this object.
  explicit MetricStore(KeyValueStore* store) : store_(store) {}

  // Both store all of it or nothing. InvalidArgument: a step is negative, or the job would have more different names of
  // metrics than limits::kMetricNamesPerJob over its whole life. (A version that did not count them may have stored
  // names: these are counted when they come again.) DataLoss: what is stored for such a step cannot be read.
  // ResourceExhausted: the disk is full.
  absl::Status PutSteps(absl::string_view job_id, const std::vector<StepMetrics>& steps);
  absl::Status PutEvaluations(absl::string_view job_id, const std::vector<EvaluationResult>& evaluations);
  // The records of the steps behind `after_step`, ascending, at most `limit` of them: ask again behind the last one
  // until none comes. A negative `after_step` asks from the beginning. DataLoss: one of them cannot be read; the error
  // says which.
  absl::StatusOr<std::vector<StepMetrics>> Steps(absl::string_view job_id, int64_t after_step, int limit) const;
  absl::StatusOr<std::vector<EvaluationResult>> Evaluations(absl::string_view job_id, int64_t after_step,
                                                            int limit) const;

 private:
  KeyValueStore* const store_;
  absl::Mutex mu_;  // makes reading what is stored (generations, names) and writing the new record one step
};

}  // namespace mimeo
