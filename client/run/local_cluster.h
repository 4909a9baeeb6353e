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

// How the machine's cores are shared out.
struct CoreShares {
  int cores = 1;
  int workers = 1;
  int threads_per_rank = 1;
  int teachers = 0;
  int threads_per_teacher = 1;
  std::string ToString() const;  // "2 cores: 2 workers with 1 thread each, 1 teacher with 1 thread"
};
// Ranks get all cores, evenly; a teacher computes while ranks wait for data or each other, with as many threads as a
// rank.
CoreShares ShareCores(int cores, int workers, int teachers);

struct LocalClusterOptions {
  std::string dir;  // state, sockets and logs go below it: cluster/, logs/
  CoreShares shares;
  std::vector<std::pair<std::string, std::string>> teachers;  // name, weights
};

class LocalCluster {
 public:
  // Everything has announced itself when OK. The status names the process that did not, with its log's last lines; then
  // nothing runs.
  static absl::StatusOr<std::unique_ptr<LocalCluster>> Start(const LocalClusterOptions& options);
  ~LocalCluster();  // Stop()

  const std::string& address() const { return address_; }  // the coordinator's
  // Not OK when a child has ended: says which, how, and its log's last lines.
  absl::Status CheckAlive();
  // SIGTERM, workers first; SIGKILL for those that do not go within ten seconds.
  void Stop();

 private:
  struct Child {
    std::string name;
    std::string log;
    std::unique_ptr<Subprocess> process;
  };
  explicit LocalCluster(const LocalClusterOptions& options) : options_(options) {}
  absl::Status StartAll();
  // Starts `argv` and returns the address that it announces ("" where it has none).
  absl::StatusOr<std::string> StartChild(const std::string& name, std::vector<std::string> argv);

  const LocalClusterOptions options_;
  std::string address_;
  std::vector<Child> children_;
};

}  // namespace mimeo
