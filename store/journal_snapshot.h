// The snapshot of a journal: the state after its first events, which then need not be kept.
//
// Free functions on a store. They are thread-safe as the store is, and a journal may grow while they work; at most one
// thread writes or removes snapshots. A snapshot is written in many steps, so that no other write waits long for it: a
// mark comes first, the records follow, and the head takes the place of the mark. Before the head is durable the
// snapshot does not count, and the one before it does.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "store/key_value_store.h"

namespace mimeo {

// The state after the first `entries` events, in records that only the owner of the state reads.
struct JournalSnapshot {
  int64_t entries = 0;  // 0: there is no snapshot
  std::vector<std::string> records;
};

// The newest snapshot that was written to its end. DataLoss: it is damaged; the message says of which entries it is,
// and what is wrong with it.
absl::StatusOr<JournalSnapshot> ReadSnapshot(const KeyValueStore& store);

// Durable when OK. After an error the store holds no part of it, or, where nothing can be removed either, a part that
// does not count. REQUIRES: the newest snapshot in the store is of fewer entries.
absl::Status WriteSnapshot(KeyValueStore* store, const JournalSnapshot& snapshot);

// Whether the writing of the snapshot of the first `entries` events has begun and has not come to its end.
bool IsUnfinishedSnapshot(const KeyValueStore& store, int64_t entries);

// Removes what a snapshot of the first `entries` events replaces: older snapshots, and these events but the last one.
// That event stays so that a store which lost its snapshot begins with an entry that is not its first, and is not taken
// for a new store. What an error or a crash leaves is removed by the next call. REQUIRES: that snapshot is durable.
absl::Status RemoveReplaced(KeyValueStore* store, int64_t entries);

}  // namespace mimeo
