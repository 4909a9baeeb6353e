// A cluster of the real binaries on loopback, for tests: every process is a child, every port is free, and what a test
// kills is really killed. One thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "base/file.h"
#include "base/subprocess.h"
#include "proto/coordinator.grpc.pb.h"

namespace mimeo {

// Photos that travel with the repository.
std::string ExamplePhotos(const std::string& split);  // "train", "validation"

// A job that trains a few seconds on `ranks` cores: 32 px, a two-block encoder, `steps` steps of 96 photos.
JobSpec TinyJob(int ranks, int64_t steps);
// Adds the mimic objective of the teacher `name`.
void AddMimic(const std::string& name, JobSpec* spec);
// Two views of each image, contrasted.
void AddContrast(JobSpec* spec);

class LocalCluster {
 public:
  explicit LocalCluster(absl::Duration lease = absl::Seconds(60)) : lease_(lease) {}
  ~LocalCluster();  // kills what still runs; prints the logs' ends when the test has failed

  // "NAME=value" for all that is started from now on.
  void SetEnvironment(std::vector<std::string> environment) { environment_ = std::move(environment); }

  // Each Start waits until the process has announced itself, and fails the test when it does not. A coordinator that is
  // started again takes its first one's port and directory; so does a teacher.
  void StartCoordinator(const std::vector<std::string>& flags = {});
  void StartWorker(const std::string& id, int slots = 1, const std::vector<std::string>& flags = {});
  // As on another host: this worker and its ranks find nothing in `folder`. REQUIRES: CanHideFolders().
  void StartWorkerThatDoesNotSee(const std::string& folder, const std::string& id, int slots = 1);
  static bool CanHideFolders();  // needs root, or a kernel that lets anybody mount
  void StartTeacher(const std::string& name, const std::string& weights);

  // SIGKILL, and the process is gone. `name`: "coordinator", a worker's id or a teacher's name.
  void Kill(const std::string& name);
  void KillAll();
  // SIGTERM, and the process has ended by itself, with code 0.
  void Stop(const std::string& name);
  void Signal(const std::string& name, int signal);
  // The process is alive, and stays so for `duration`.
  void ExpectAliveFor(const std::string& name, absl::Duration duration);

  // Runs `mimeo ARGS... --server <this coordinator>` to its end; its stdout, or a failed test when it exits with
  // another code.
  std::string Mimeo(const std::vector<std::string>& args, int exit_code = 0);

  std::string Submit(const JobSpec& spec);
  // Follows the job until `ready`. Fails the test, naming `what`, when it ends otherwise or after two minutes.
  Job Await(const std::string& job_id, const std::string& what, const std::function<bool(const Job&)>& ready);
  Job AwaitSuccess(const std::string& job_id);
  ListWorkersReply Workers();
  // By step; each step once.
  std::map<int64_t, StepMetrics> Steps(const std::string& job_id);

  const std::string& dir() const { return dir_.path(); }
  std::string address(const std::string& name) const { return processes_.at(name).address; }
  std::string metrics_address(const std::string& name) const { return processes_.at(name).metrics_address; }

 private:
  struct Process {
    std::unique_ptr<Subprocess> child;
    std::string address;
    std::string metrics_address;
  };
  // `argv` begins with the binary's name; `under` is a command that is given the whole command line and runs it.
  void Start(const std::string& name, std::vector<std::string> argv, std::vector<std::string> under = {});
  std::vector<std::string> WorkerCommand(const std::string& id, int slots) const;
  std::unique_ptr<Coordinator::Stub> NewStub() const;

  absl::Duration lease_;
  std::vector<std::string> environment_;
  TempDir dir_;
  std::map<std::string, Process> processes_;
};

}  // namespace mimeo
