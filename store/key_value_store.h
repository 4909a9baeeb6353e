// Maps from keys to values, both bytes, in the order of the keys. Everything that the coordinator remembers is in such
// a store. Each family is a map of its own. store/keys.h says what the keys are.
//
// Thread-safe; every call may block on the disk. There are two implementations: store/rocksdb_store.h, and for tests
// FaultyStore, which wraps another store and fails, crashes or forgets writes when a test tells it to.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mimeo {

// kSnapshots are those of the journal. A store that ever held one is refused by versions of this software that know of
// no snapshots.
enum class Family { kJournal, kManifests, kChunks, kMetrics, kSnapshots };
constexpr int kNumFamilies = 5;

// What a write survives once it has returned OK. kSynced survives a crash of the machine, kBuffered one of the process.
// A synced write also makes every earlier write survive a crash of the machine.
enum class Durability { kSynced, kBuffered };

// Changes that are made together: after a crash at any time all of them are there, or none, in whatever families. The
// puts are applied first, then the removes. To remove a key that is not there is no error.
struct WriteBatch {
  struct Put {
    Family family;
    std::string key;
    std::string value;
  };
  struct Remove {
    Family family;
    std::string key;
  };
  std::vector<Put> puts;
  std::vector<Remove> removes;
};

class KeyValueStore {
 public:
  virtual ~KeyValueStore() = default;
  // NotFound: no such key. DataLoss: the value is damaged on disk. Unavailable: the disk fails.
  virtual absl::StatusOr<std::string> Get(Family family, absl::string_view key) const = 0;
  // After an error nothing of the batch is visible, and the caller may try again. ResourceExhausted: the disk is full.
  // Unavailable: the disk fails.
  virtual absl::Status Write(const WriteBatch& batch, Durability durability) = 0;
  // Calls `visit` with every key that begins with `prefix`, and its value, in byte order, until `visit` returns false.
  // `start` is where it begins: a key that begins with `prefix` and need not be there, or empty for the first one. It
  // sees the store as it was when the scan began. DataLoss and Unavailable as for Get; then what was visited so far is
  // right.
  virtual absl::Status Scan(Family family, absl::string_view prefix, absl::string_view start,
                            absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit) const = 0;
  // About how many bytes the store takes, for a metric.
  virtual absl::StatusOr<int64_t> ApproximateBytes() const = 0;
};

// A number as a key of 8 bytes, big-endian, so that the order of keys is the order of numbers.
std::string OrderedKey(uint64_t number);
// The number back. 0 when the key has another length.
uint64_t ParseOrderedKey(absl::string_view key);

}  // namespace mimeo
