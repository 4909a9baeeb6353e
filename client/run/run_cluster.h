// The processes of `mimeo run`: a coordinator, teacher servers and worker agents. They are children of this process and
// listen on loopback only, at ports that were free. One thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/subprocess.h"

namespace mimeo {

// How the cores of the machine are shared out.
struct CoreShares {
  int cores = 1;
  int workers = 1;  // each has one slot, so one rank
  int threads_per_rank = 1;
  int teachers = 0;
  int threads_per_teacher = 1;
  std::string ToString() const;  // "2 cores: 2 workers with 1 thread each, 1 teacher with 1 thread"
};
// The ranks get all cores, in equal parts, and each at least one. A teacher gets as many threads as a rank, because it
// computes while ranks wait.
CoreShares ShareCores(int cores, int workers, int teachers);

struct RunClusterOptions {
  // The folder of the run. The state of the processes goes into cluster/ below it, and their logs into logs/.
  std::string dir;
  CoreShares shares;
  // The name and the file of weights of each teacher.
  std::vector<std::pair<std::string, std::string>> teachers;
  // Asked a few times a second while the processes start: true ends that.
  std::function<bool()> stop_wanted = [] { return false; };
};

// While such an object lives, the processes run. When this process dies, in whatever way, the kernel ends them too.
class RunCluster {
 public:
  // Starts all processes and waits until each has announced itself, for a minute each at most. An error names the
  // process that did not, with the last lines of its log; then none of them runs any more. Cancelled:
  // `options.stop_wanted`. A cluster that ran in `options.dir` before goes on with its state.
  static absl::StatusOr<std::unique_ptr<RunCluster>> Start(const RunClusterOptions& options);
  // Calls Stop.
  ~RunCluster();

  // The address of the coordinator.
  const std::string& address() const { return address_; }
  // Internal when one of the processes has ended by itself. The error names it, says how it ended, and has the last
  // lines of its log. Never waits.
  absl::Status CheckAlive();
  // Ends the processes one after another: the workers, the teachers, then the coordinator. Each gets SIGTERM, and
  // SIGKILL when it has not ended within ten seconds. May be called again.
  void Stop();
  // Ends all processes with SIGKILL: at once, and without a last checkpoint. Their ranks die with them. For a cluster
  // whose folder nobody needs any more.
  void Kill();

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
