// The state that a journal holds.
#pragma once

#include "absl/status/status.h"
#include "coordinator/cluster_state.h"
#include "store/journal.h"

namespace mimeo {

// Loads the journal's snapshot into `state`, which is empty, and applies the events behind it. Specs of earlier
// versions come in today's form (InThisVersion). DataLoss: an event cannot be read or contradicts those before it
// (names its number), or the snapshot is damaged; `state` is then good for nothing.
absl::Status ReplayInto(Journal* journal, ClusterState* state);

}  // namespace mimeo
