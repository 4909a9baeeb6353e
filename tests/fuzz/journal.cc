// The events of a journal: what an earlier version or another program has put there, read and replayed. An event reads
// back equal, what may happen now may also be replayed, and the state that events lead to is equal to the one that its
// own snapshot gives.
#include "store/journal.h"
#include "coordinator/cluster_state.h"
#include "coordinator/replay.h"
#include "tests/fuzz/fuzz_target.h"

namespace mimeo::fuzz {

FUZZ_TARGET(journal) {
  ClusterState state;
  for (const absl::string_view piece : Pieces(bytes)) {
    const absl::StatusOr<Event> event = ParseEvent(piece);
    if (!event.ok()) {
      CheckRefusal(event.status(), {absl::StatusCode::kDataLoss}, 512);
      continue;
    }
    const absl::StatusOr<Event> again = ParseEvent(event->SerializeAsString());
    MIMEO_CHECK(again.ok() && again->SerializeAsString() == event->SerializeAsString());
    const bool may_happen = state.Check(*event).ok();
    const bool replayed = ReplayEvent(*event, &state).ok();
    MIMEO_CHECK(replayed || !may_happen, event->DebugString());
  }
  ClusterState restored;
  state.Snapshot([&](const SnapshotRecord& record) {
    const absl::Status status = restored.Restore(record);
    MIMEO_CHECK(status.ok(), status.ToString());
  });
  MIMEO_CHECK(restored.DebugString() == state.DebugString(), state.DebugString(), " and ", restored.DebugString());
}

}  // namespace mimeo::fuzz
