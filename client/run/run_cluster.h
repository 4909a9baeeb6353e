// The processes of `mimeo run`: a coordinator, teacher servers and worker agents on loopback, as children of this
// process. One thread.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/subprocess.h"

namespace mimeo {

// How many of the machine's cores each process gets.
struct CoreShares {
  int cores = 1;
  int workers = 1;
  int threads_per_rank = 1;
  int teachers = 0;
  int threads_per_teacher = 1;
  std::string ToString() const;  // "2 cores: 2 workers with 1 thread each, 1 teacher with 1 thread"
};
// The ranks get all cores, in equal parts. A teacher gets as many threads as a rank, because it computes while ranks
// wait.
CoreShares ShareCores(int cores, int workers, int teachers);

struct RunClusterOptions {
  std::string dir;  // State and sockets go into cluster/ below it, logs into logs/.
  CoreShares shares;
  std::vector<std::pair<std::string, std::string>> teachers;  // name, weights
};

class RunCluster {
 public:
  // Starts all processes and waits until each has announced itself. An error names the process that did not, with the
  // last lines of its log, and then nothing runs.
  static absl::StatusOr<std::unique_ptr<RunCluster>> Start(const RunClusterOptions& options);
  ~RunCluster();  // Stop()

  const std::string& address() const { return address_; }  // the coordinator's
  // Internal when a process has ended: names it, says how it ended, and has the last lines of its log.
  absl::Status CheckAlive();
  // Sends SIGTERM to each process, the workers first, and SIGKILL to those that have not ended within ten seconds.
  void Stop();

 private:
  struct Child {
    std::string name;
    std::string log;
    std::unique_ptr<Subprocess> process;
  };
  explicit RunCluster(const RunClusterOptions& options) : options_(options) {}
  absl::Status StartAll();
  // Starts `argv` and returns the address that it announces ("" where it has none).
  absl::StatusOr<std::string> StartChild(const std::string& name, std::vector<std::string> argv);

  const RunClusterOptions options_;
  std::string address_;
  std::vector<Child> children_;
};

}  // namespace mimeo
