// The verbs of `mimeo` as a test types them, against a real coordinator: a child process on loopback with a store of
// its own. The test plays the workers. One thread.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/subprocess.h"
#include "client/commands/commands.h"
#include "proto/checkpoint.grpc.pb.h"
#include "proto/coordinator.grpc.pb.h"

namespace mimeo::testing {

// What a command came to.
struct Outcome {
  int code = 0;
  std::string out;
  std::string errors;
};

// A recipe of `steps` steps that passes every check. Its images are at an absolute path, and nobody reads them.
std::string SmallRecipe(int64_t steps = 10);

class CommandLine {
 public:
  // `add` adds the verbs that are tried, such as AddJobVerbs.
  explicit CommandLine(const std::function<void(CLI::App*, Invocation*)>& add) : add_(add) {}

  // Starts the coordinator, or fails the test. Without it nobody answers at address().
  void StartCoordinator();
  void KillCoordinator();
  const std::string& address() const { return address_; }

  // Parses and runs `mimeo --server <this coordinator> ARGS...`, and catches what it prints. What does not parse ends
  // with 2, as in client_main.cc.
  Outcome Run(const std::vector<std::string>& args);

  // A file in a folder of this test.
  std::string File(const std::string& name, const std::string& bytes);
  const std::string& dir() const { return dir_.path(); }

  // As a worker: registers it, or says how its ranks are. Fails the test when the coordinator refuses it.
  void RegisterWorker(const std::string& id, int slots);
  void RegisterTeacher(const std::string& name, const std::string& address);
  HeartbeatReply Beat(const std::string& worker_id, const std::vector<RankStatus>& ranks = {});
  // As rank 0 of the job's first generation.
  void ReportSteps(const std::string& job_id, int64_t steps);
  void CommitCheckpoint(const std::string& job_id, int64_t step, const std::string& bytes);

 private:
  const std::function<void(CLI::App*, Invocation*)> add_;
  TempDir dir_;
  std::string address_ = "127.0.0.1:1";  // where nobody may listen
  std::unique_ptr<Subprocess> coordinator_;
  std::unique_ptr<Cluster::Stub> cluster_;
  std::unique_ptr<ChunkStore::Stub> chunks_;
};

}  // namespace mimeo::testing
