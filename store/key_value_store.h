// An ordered byte map with named families: the seam under everything the coordinator remembers.
//
// Thread-safe. Write is atomic over families. Implementations: RocksDbStore (tests: RocksDB's in-memory Env) and
// FaultyStore, a decorator that fails, crashes or forgets unsynced writes on demand.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mimeo {

// kSnapshots: of the journal. A store that ever held one is refused by versions that know of none.
enum class Family { kJournal, kManifests, kChunks, kMetrics, kSnapshots };
constexpr int kNumFamilies = 5;

// kSynced: OK means that it survives a crash of the machine. kBuffered: of the process.
enum class Durability { kSynced, kBuffered };

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
  virtual absl::StatusOr<std::string> Get(Family family, absl::string_view key) const = 0;  // NotFound
  // ResourceExhausted: the disk is full. Unavailable: an I/O error. Nothing of a failed batch is visible.
  virtual absl::Status Write(const WriteBatch& batch, Durability durability) = 0;
  // Visits the keys with `prefix` from `start` (prefix + anything; empty: the first) in byte order, on a snapshot,
  // until `visit` returns false.
  virtual absl::Status Scan(Family family, absl::string_view prefix, absl::string_view start,
                            absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit) const = 0;
  virtual absl::StatusOr<int64_t> ApproximateBytes() const = 0;
};

// Big-endian, so that byte order is numeric order.
std::string OrderedKey(uint64_t number);
uint64_t ParseOrderedKey(absl::string_view key);

}  // namespace mimeo
