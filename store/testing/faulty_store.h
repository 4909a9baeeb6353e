// A store whose disk fails and whose machine crashes on demand. Thread-safe, but for Crash.
//
// Writes are numbered from 1. What a crash leaves is what a disk with one log would hold: everything up to the last
// synced write, and as much of the buffered rest, in order, as the test says.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "store/key_value_store.h"

namespace mimeo::testing {

class FaultyStore : public KeyValueStore {
 public:
  // On what `disk` holds (empty, or what an earlier Crash left).
  explicit FaultyStore(std::unique_ptr<KeyValueStore> disk);
  // On an empty disk.
  FaultyStore();

  // Writes first ... first + count - 1 fail with `status`; nothing of them is visible, now or after a crash.
  void FailWrites(int64_t first, int64_t count, absl::Status status) ABSL_LOCKS_EXCLUDED(mu_);
  // Called with the number of each write before it is done, and after: the place to raise(SIGKILL). They may not use
  // the store.
  void SetHooks(std::function<void(int64_t)> before, std::function<void(int64_t)> after) ABSL_LOCKS_EXCLUDED(mu_);
  int64_t writes() const ABSL_LOCKS_EXCLUDED(mu_);    // tried so far
  int64_t unsynced() const ABSL_LOCKS_EXCLUDED(mu_);  // buffered writes that a crash would lose

  // The machine loses its power: what its disk holds, with the first `keep` of the unsynced writes. This store answers
  // Unavailable from now on.
  std::unique_ptr<KeyValueStore> Crash(int64_t keep = 0) ABSL_LOCKS_EXCLUDED(mu_);

  absl::StatusOr<std::string> Get(Family family, absl::string_view key) const override ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status Write(const WriteBatch& batch, Durability durability) override ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status Scan(Family family, absl::string_view prefix, absl::string_view start,
                    absl::FunctionRef<bool(absl::string_view, absl::string_view)> visit) const override
      ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<int64_t> ApproximateBytes() const override ABSL_LOCKS_EXCLUDED(mu_);

 private:
  absl::StatusOr<KeyValueStore*> Live() const ABSL_LOCKS_EXCLUDED(mu_);

  mutable absl::Mutex mu_;
  std::unique_ptr<KeyValueStore> disk_ ABSL_GUARDED_BY(mu_);  // what is synced; null after a crash
  std::unique_ptr<KeyValueStore> live_ ABSL_GUARDED_BY(mu_);  // what the process sees
  std::vector<WriteBatch> unsynced_ ABSL_GUARDED_BY(mu_);
  int64_t writes_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t fail_first_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t fail_end_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Status fail_status_ ABSL_GUARDED_BY(mu_);
  std::function<void(int64_t)> before_ ABSL_GUARDED_BY(mu_);
  std::function<void(int64_t)> after_ ABSL_GUARDED_BY(mu_);
};

}  // namespace mimeo::testing
