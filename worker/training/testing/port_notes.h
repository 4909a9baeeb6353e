// The ports of training as plain values: what was told, in the order in which it was told. One thread, but for a
// checkpoint's own.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "worker/training/ports.h"

namespace mimeo::testing {

struct StatusNotes final : StatusSink {
  void ReportRankStep(const RankStep& step) override { newest = step; }
  void SetMetric(const std::string& name, double value) override { metrics[name] = value; }
  void ReportUndecodable(const std::string& field, const PassedOver& row) override { undecodable[field] = row; }
  void SetWaiting(const std::string& reason, bool waiting) override { waits.emplace_back(reason, waiting); }

  RankStep newest;
  std::map<std::string, double> metrics;
  std::map<std::string, PassedOver> undecodable;  // by field, the newest
  std::vector<std::pair<std::string, bool>> waits;
};

struct StepNotes final : StepSink {
  void ReportStep(const StepMetrics& step) override { steps.push_back(step); }
  void ReportEvaluation(const EvaluationResult& evaluation) override { evaluations.push_back(evaluation); }
  std::vector<double> Losses() const {
    std::vector<double> losses;
    for (const StepMetrics& step : steps) losses.push_back(step.loss());
    return losses;
  }

  std::vector<StepMetrics> steps;
  std::vector<EvaluationResult> evaluations;
};

// Commits each checkpoint at once, or all of them in Drain, and says that it took 100 seconds.
struct CheckpointNotes final : CheckpointSink {
  void SubmitCheckpoint(CheckpointManifest manifest, std::function<absl::StatusOr<std::string>()> serialize) override {
    submitted = manifest.step();
    streams[submitted] = serialize();
    if (!late) committed = submitted;
  }
  int64_t committed_step() const override { return committed; }
  absl::Duration checkpoint_time() const override { return absl::Seconds(100); }
  absl::Status Drain(absl::Time) override {
    committed = submitted;
    return absl::OkStatus();
  }
  absl::Status status() const override { return fenced; }

  bool late = false;  // nothing is committed before Drain
  int64_t submitted = 0;
  int64_t committed = 0;
  std::map<int64_t, absl::StatusOr<std::string>> streams;  // by step
  absl::Status fenced;
};

}  // namespace mimeo::testing
