// The journal: every event of the cluster in the order in which they happened, on disk. When there are many, a snapshot
// of what the first of them led to takes their place. The coordinator is its one owner. Thread-compatible: there is one
// writer, and the caller's lock orders the calls.
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

// The event that the bytes of an entry hold. DataLoss: they hold none.
absl::StatusOr<Event> ParseEvent(absl::string_view bytes);

// How long the journal behind its snapshot may grow, in entries and in bytes, whichever comes first. In any case it may
// grow to as many bytes as the snapshot has, so that the snapshots together never cost more writing than the events.
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
  // `store` must outlive the journal. Call Replay next.
  explicit Journal(KeyValueStore* store, const JournalBounds& bounds = {}) : store_(store), bounds_(bounds) {}

  // Calls `load` with the snapshot, if there is one, and then `apply` with every event behind it, in order. The first
  // error that one of them returns ends the replay and is returned with the number of the entry. DataLoss: an entry is
  // missing or cannot be read, or the snapshot is damaged. A caller that passes no `load` can read a journal without a
  // snapshot only; else it gets Unimplemented.
  absl::Status Replay(absl::FunctionRef<absl::Status(const Event&)> apply,
                      absl::FunctionRef<absl::Status(const JournalSnapshot&)> load = RefuseSnapshot);

  // Adds an event, and blocks until the disk has it: after OK it survives a crash of the machine. `extra` is written in
  // the same atomic write, such as a manifest with its event: both are there or none. After an error neither is, and
  // the caller may try again. InvalidArgument: the event could not be read back as it is; the error names the field.
  // ResourceExhausted: the disk is full. REQUIRES: Replay was called.
  absl::Status Append(const Event& event, const WriteBatch& extra = {});

  // Whether the journal has grown beyond its bounds, so that it should be cut. After a cut that failed it returns false
  // for some events more, so that a full disk is not asked for room with each event.
  bool IsLong() const;

  // Puts `records`, the state after all events that this object knows, in the place of these events. Durable and whole
  // when OK; after an error the journal is as it was. REQUIRES: Replay was called.
  //
  // It takes as long as writing the records takes. So that nobody who appends waits for that, a second Journal of the
  // same store replays and cuts, and the one that appends hears of it by NoteCut or NoteFailedCut.
  absl::StatusOr<JournalCut> Cut(std::vector<std::string> records);
  void NoteCut(const JournalCut& cut);
  void NoteFailedCut();

  // How many events there ever were, with those that a snapshot stands for.
  int64_t size() const { return next_; }
  int64_t num_in_snapshot() const { return first_; }

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
