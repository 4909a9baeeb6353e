// The state that a journal holds.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "coordinator/cluster_state.h"
#include "proto/event.pb.h"
#include "store/journal.h"

namespace mimeo {

// Loads the journal's snapshot into `state`, which is empty, and applies the events behind it. Specs of earlier
// versions come in today's form (InThisVersion). DataLoss: an event cannot be read or contradicts those before it
// (names its number), or the snapshot is damaged; `state` is then good for nothing.
absl::Status ReplayInto(Journal* journal, ClusterState* state);

// The steps of it: one event, and the bytes of one record of a snapshot. After an error `state` is as it was. The
// errors are those of ClusterState::CheckReplayed and Restore, and DataLoss for bytes that are no record.
absl::Status ReplayEvent(const Event& event, ClusterState* state);
absl::Status RestoreRecord(absl::string_view bytes, ClusterState* state);

}  // namespace mimeo
