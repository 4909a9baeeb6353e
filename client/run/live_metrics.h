// The numbers of a run while it lasts: metrics.jsonl and evaluations.jsonl in its folder, and TensorBoard's files where
// a person wants them. Each line, and each record, is written at once and whole, so that whoever follows the files sees
// no half of one. Thread-compatible.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/metrics/event_file.h"
#include "proto/metrics.pb.h"

namespace mimeo {

class LiveMetrics {
 public:
  // Each of the two is a folder, or empty where nothing is to be written there. `say` gets a sentence when something
  // cannot be written; that is said once, and training goes on without it.
  LiveMetrics(std::string out, std::string tensorboard, std::function<void(absl::string_view)> say)
      : out_(std::move(out)), tensorboard_(std::move(tensorboard)), say_(std::move(say)) {}

  // What came first in this session takes the place of what the files had; what comes later is written behind it. A
  // step that was done again is written again: the later line counts.
  void Add(const std::vector<StepMetrics>& steps, const std::vector<EvaluationResult>& evaluations);

 private:
  absl::Status Append(const std::string& name, const std::vector<std::string>& lines, bool* begun);
  absl::Status AddEvents(const std::vector<StepMetrics>& steps, const std::vector<EvaluationResult>& evaluations);
  void SayOnce(const absl::Status& status);

  const std::string out_;
  const std::string tensorboard_;
  const std::function<void(absl::string_view)> say_;
  std::unique_ptr<EventFile> events_;
  bool steps_begun_ = false;
  bool evaluations_begun_ = false;
  bool said_ = false;
};

}  // namespace mimeo
