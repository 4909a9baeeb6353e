// This rank's place in its gang, and the c10d process group that joins the ranks. One thread.
//
// Rank 0 hosts the TCPStore, whose address reaches the others through the coordinator. A gang lives for one generation.
// Gloo cannot abort a collective, so on the first error a rank process exits, and its agent starts the next generation.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/progress.h"

namespace c10d {
class ProcessGroup;
}

namespace mimeo {

class Parameters;

struct GangOptions {
  int rank = 0;
  int size = 1;
  int64_t generation = 1;
  std::string host = "127.0.0.1";  // the address that this rank listens on
  at::Device device = at::kCPU;    // CPU: Gloo alone; CUDA: NCCL beside it
  absl::Duration join_timeout = absl::Minutes(5);
  // Longer than any wait for a teacher: to find hangs is the agent's task.
  absl::Duration collective_timeout = absl::Hours(24);
  // For collectives between GPUs, which begin only when no rank waits for a teacher any more. After it a rank writes a
  // flight record and ends itself.
  absl::Duration nccl_timeout = absl::Minutes(10);
  std::function<void(const std::string& address)> publish_store;  // called on rank 0, to tell the others its host:port
  std::function<absl::StatusOr<std::string>()> await_store;       // called on other ranks; blocks for that address
  std::function<bool()> stop_wanted = [] { return false; };       // polled while members are missing
  // Hears of each look for missing members, and of collectives. It may be null, and outlives the gang.
  Progress* progress = nullptr;
  // Asked at each look: whether some member waits for something before it joins, such as its data. That time does not
  // count as the timeout's.
  std::function<bool()> member_waits = [] { return false; };
};

class Gang {
 public:
  // Blocks until all members are there. DeadlineExceeded: some did not arrive; the message names the missing ranks.
  // Unavailable: the store cannot be reached, or the ranks cannot reach each other. Cancelled: a stop was wanted
  // meanwhile. FailedPrecondition: the device is a GPU, and CUDA cannot be loaded.
  static absl::StatusOr<std::unique_ptr<Gang>> Join(const GangOptions& options);
  ~Gang();

  int rank() const { return options_.rank; }
  int size() const { return options_.size; }
  // Says for people what this rank does (base/progress.h).
  void Do(std::string doing) const {
    if (options_.progress != nullptr) options_.progress->Do(std::move(doing));
  }
  // To be held while ranks stand still for each other outside of Sum. A gang of one says nothing.
  Progress::Collective Together() const {
    return Progress::Collective(options_.size > 1 ? options_.progress : nullptr);
  }

  // Sums `tensor` over the ranks in place: by Gloo where it is on the CPU, and the call blocks until all ranks have
  // called it; by NCCL where it is on a GPU, and then the host does not wait. Every rank calls it, in the same order
  // and with the same shape. Aborted: a member is gone.
  absl::Status Sum(at::Tensor tensor);

  // Blocks until every rank has called it, at most a minute for each of its two waits. After that no collective is in
  // flight, so closing a connection cannot make a slower member's last collective fail. It is the last call on a gang.
  void Disband();

 private:
  friend class GradientReducer;
  struct Impl;
  Gang(GangOptions options, std::unique_ptr<Impl> impl);
  const GangOptions options_;
  std::unique_ptr<Impl> impl_;
};

// Averages gradients over the gang while the backward pass still runs. It is c10d::Reducer, the engine of Python's
// DistributedDataParallel. One thread.
//
// After its first backward pass it arranges its buckets anew, and other buckets sum in another order. So do one
// backward pass whose result is thrown away, and then call Settle(), before the first step that counts
// (docs/determinism.md).
class GradientReducer {
 public:
  // `gang` and `parameters` outlive the reducer, and no parameter is added later.
  GradientReducer(Gang* gang, const Parameters& parameters);
  ~GradientReducer();

  // To be called before the backward pass of `loss`, which then returns with averaged gradients. A backward pass
  // without it accumulates on this rank alone.
  void PrepareForBackward(const at::Tensor& loss);
  void Settle();

  // How long the newest measured backward pass had finished its arithmetic and still waited for the other ranks'
  // gradients. The first steps are measured, and then every tenth; a GPU's host waits for those.
  absl::Duration exposed_communication() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mimeo
