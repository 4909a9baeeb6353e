// The cluster's events in the order in which they happened, durable; and, once there are many, a snapshot of what the
// first of them led to, in their place. Thread-compatible: one writer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/event.pb.h"
#include "store/journal_snapshot.h"
#include "store/key_value_store.h"

namespace mimeo {

// The event of an entry's bytes. DataLoss: they are none.
absl::StatusOr<Event> ParseEvent(absl::string_view bytes);

// How long the journal behind its snapshot may grow: as many entries, or as many bytes, whatever comes first. It may
// grow as long as the snapshot in any case, so that writing snapshots costs no more than writing events.
struct JournalBounds {
  int64_t entries = 10000;
  int64_t bytes = 16 << 20;
};

// What a cut replaced.
struct JournalCut {
  int64_t entries = 0;         // of the journal, that the snapshot stands for
  int64_t bytes = 0;           // of the events behind the snapshot before
  int64_t snapshot_bytes = 0;  // of the records
};

class Journal {
 public:
  explicit Journal(KeyValueStore* store, const JournalBounds& bounds = {}) : store_(store), bounds_(bounds) {}

  // The snapshot, if there is one, then every event behind it, in order. DataLoss: an entry is missing or cannot be
  // read (names its number), or the snapshot is damaged. Who leaves out `load` takes no snapshot: there must be none.
  absl::Status Replay(absl::FunctionRef<absl::Status(const Event&)> apply,
                      absl::FunctionRef<absl::Status(const JournalSnapshot&)> load = RefuseSnapshot);

  // Durable when OK. `extra` travels in the same atomic write (a manifest and its event). InvalidArgument: the event
  // would not be read back as it is (names the field). REQUIRES: Replay was called. After an error the event is not in
  // the journal.
  absl::Status Append(const Event& event, const WriteBatch& extra = {});

  // The journal has grown beyond its bounds: it should be cut. After a cut that failed, not at once again.
  bool IsLong() const;

  // Puts `records`, the state after all events that this object knows, in the place of these events. Durable and whole
  // when OK; after an error the journal is as it was. REQUIRES: Replay was called.
  //
  // It takes as long as writing the records takes. So that nobody who appends waits for that, a second Journal of the
  // same store replays and cuts, and the one that appends hears of it by NoteCut or NoteFailedCut.
  absl::StatusOr<JournalCut> Cut(std::vector<std::string> records);
  void NoteCut(const JournalCut& cut);
  void NoteFailedCut();

  int64_t size() const { return next_; }              // events that ever were
  int64_t num_in_snapshot() const { return first_; }  // of these, those that the snapshot stands for

 private:
  static absl::Status RefuseSnapshot(const JournalSnapshot& snapshot);
  void Begin(const JournalSnapshot& snapshot);  // no event stands behind it yet

  KeyValueStore* const store_;
  const JournalBounds bounds_;
  int64_t next_ = 0;
  int64_t first_ = 0;  // event behind the snapshot
  int64_t bytes_ = 0;  // of the events behind it
  int64_t snapshot_bytes_ = 0;
  int64_t cut_from_ = 0;  // no cut before there are so many events
};

}  // namespace mimeo
