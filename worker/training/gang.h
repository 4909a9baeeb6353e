// This rank's place in its gang, and the c10d process group that joins the ranks. One thread.
//
// Rank 0 hosts the TCPStore; its address reaches the others by the coordinator. A gang lives for one generation: Gloo
// cannot abort a collective, so on the first error a rank process exits and its agent starts the next generation.
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
  std::string host = "127.0.0.1";  // the interface that this rank listens on
  at::Device device = at::kCPU;    // CPU: Gloo; CUDA: NCCL too
  absl::Duration join_timeout = absl::Minutes(5);
  absl::Duration collective_timeout = absl::Hours(24);  // above any wait for a teacher; hangs are the agent's to find
  // Of collectives between GPUs, which begin only when no rank waits for a teacher any more. Over it a rank writes a
  // flight record and ends itself.
  absl::Duration nccl_timeout = absl::Minutes(10);
  std::function<void(const std::string& address)> publish_store;  // rank 0: tells the others, host:port
  std::function<absl::StatusOr<std::string>()> await_store;       // other ranks: waits for that address
  std::function<bool()> stop_wanted = [] { return false; };       // polled while members are missing
  // Hears of each look for missing members, and of collectives; may be null, outlives the gang.
  Progress* progress = nullptr;
  // Likewise: some member waits for what comes before it joins, such as its data; that time does not count.
  std::function<bool()> member_waits = [] { return false; };
};

class Gang {
 public:
  // DeadlineExceeded: members did not arrive (names the missing ranks). Unavailable: the store cannot be reached.
  // Cancelled: a stop was wanted meanwhile.
  static absl::StatusOr<std::unique_ptr<Gang>> Join(const GangOptions& options);
  ~Gang();

  int rank() const { return options_.rank; }
  int size() const { return options_.size; }
  // What this rank does, for people (base/progress.h).
  void Do(std::string doing) const {
    if (options_.progress != nullptr) options_.progress->Do(std::move(doing));
  }
  // To hold while ranks stand still for each other outside of Sum. Of a gang of one it says nothing.
  Progress::Collective Together() const {
    return Progress::Collective(options_.size > 1 ? options_.progress : nullptr);
  }

  // Sums `tensor` over the ranks, in place, by Gloo or NCCL as it lies on the CPU or a GPU; with NCCL the host does not
  // wait. Every rank calls it, with one shape. Aborted: a member is gone.
  absl::Status Sum(at::Tensor tensor);

  // Waits until every rank has called it, at most a minute: after that no collective is in flight, and closing a
  // connection cannot fail a slower member's last one. The last call on a gang.
  void Disband();

 private:
  friend class GradientReducer;
  struct Impl;
  Gang(GangOptions options, std::unique_ptr<Impl> impl);
  const GangOptions options_;
  std::unique_ptr<Impl> impl_;
};

// Averages gradients over the gang while the backward pass still runs: c10d::Reducer, the engine of Python's DDP. One
// thread.
//
// Its buckets are arranged anew after its first backward pass, and another bucket is another order of summation; so do
// one backward whose result is thrown away, then Settle(), before the first step that counts (docs/determinism.md).
class GradientReducer {
 public:
  // `gang` and `parameters` outlive the reducer; no parameter is added later.
  GradientReducer(Gang* gang, const Parameters& parameters);
  ~GradientReducer();

  // Before the backward pass of `loss`: it returns with averaged gradients. A backward pass without it accumulates
  // locally.
  void PrepareForBackward(const at::Tensor& loss);
  void Settle();

  // How long the newest measured backward pass was done with its arithmetic and waited for the other ranks' gradients.
  // Measured are the first steps and then every tenth (on a GPU the host waits for those).
  absl::Duration exposed_communication() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mimeo
