// The cluster's events in the order in which they happened, durable. Thread-compatible: one writer.
#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/event.pb.h"
#include "store/key_value_store.h"

namespace mimeo {

// The event of an entry's bytes. DataLoss: they are none.
absl::StatusOr<Event> ParseEvent(absl::string_view bytes);

class Journal {
 public:
  explicit Journal(KeyValueStore* store) : store_(store) {}

  // Every event so far, in order. DataLoss: an entry is missing or cannot be read (names its number).
  absl::Status Replay(absl::FunctionRef<absl::Status(const Event&)> apply);

  // Durable when OK. `extra` travels in the same atomic write (a manifest and its event). InvalidArgument: the event
  // would not be read back as it is (names the field). REQUIRES: Replay was called. After an error the event is not in
  // the journal.
  absl::Status Append(const Event& event, const WriteBatch& extra = {});

  int64_t size() const { return next_; }

 private:
  KeyValueStore* const store_;
  int64_t next_ = 0;
};

}  // namespace mimeo
