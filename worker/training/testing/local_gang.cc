#include "worker/training/testing/local_gang.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace mimeo::testing {
namespace {

// Carries the store's address from rank 0 to the others, as the coordinator does.
class AddressBoard {
 public:
  void Publish(const std::string& address) ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    address_ = address;
  }
  std::string Await() ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(this, &AddressBoard::Known));
    return address_;
  }

 private:
  bool Known() const ABSL_SHARED_LOCKS_REQUIRED(mu_) { return !address_.empty(); }
  absl::Mutex mu_;
  std::string address_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

void RunAsGang(int size, const std::function<void(Gang* gang)>& body) {
  // libtorch 2.11 notes collectives in one map per process, without a lock (c10d::FlightRecorder): fine for a rank a
  // process, a crash now and then for several. Read when the first group is made.
  setenv("TORCH_FR_BUFFER_SIZE", "0", /*overwrite=*/1);
  AddressBoard board;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&board, &body, rank, size] {
      GangOptions options;
      options.rank = rank;
      options.size = size;
      options.publish_store = [&board](const std::string& address) { board.Publish(address); };
      options.await_store = [&board]() -> absl::StatusOr<std::string> { return board.Await(); };
      const auto gang = Gang::Join(options);
      ASSERT_TRUE(gang.ok()) << "rank " << rank << ": " << gang.status();
      body(gang->get());
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace mimeo::testing
