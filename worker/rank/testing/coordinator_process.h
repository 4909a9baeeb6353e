// The real coordinator as a child process, with one job and its one-rank gang, for tests of those who speak to it. One
// thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/subprocess.h"
#include "proto/coordinator.grpc.pb.h"

namespace mimeo::testing {

class CoordinatorProcess {
 public:
  CoordinatorProcess() { Start(); }

  const std::string& address() const { return address_; }

  // SIGKILL; then, with the same directory and port, it starts again.
  void Kill();
  void Start();

  // Submits a job and registers the worker that runs it. Returns the job's id; its gang is generation 1.
  std::string PlaceJob();
  // The gang's rank fails, and the next generation is placed: the one before is fenced.
  void ReplaceGang(const std::string& job_id, int64_t generation);

  std::vector<StepMetrics> Steps(const std::string& job_id);
  std::vector<EvaluationResult> Evaluations(const std::string& job_id);
  std::vector<CheckpointManifest> Checkpoints(const std::string& job_id);  // newest first

 private:
  MetricsReply Metrics(const std::string& job_id);
  HeartbeatReply Beat(const std::vector<RankStatus>& ranks);

  TempDir dir_;
  std::string address_ = "127.0.0.1:0";
  std::unique_ptr<Subprocess> process_;
  std::unique_ptr<Coordinator::Stub> coordinator_;
  std::unique_ptr<Cluster::Stub> cluster_;
};

}  // namespace mimeo::testing
