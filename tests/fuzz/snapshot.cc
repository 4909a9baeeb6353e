// The records of a journal's snapshot, as an earlier version or another program has put them there. What is restored
// gives a snapshot that restores to the same state.
#include "coordinator/cluster_state.h"
#include "coordinator/replay.h"
#include "tests/fuzz/fuzz_target.h"

namespace mimeo::fuzz {

FUZZ_TARGET(snapshot) {
  ClusterState state;
  for (const absl::string_view piece : Pieces(bytes)) RestoreRecord(piece, &state).IgnoreError();
  state.NextJobId();
  ClusterState restored;
  state.Snapshot([&](const SnapshotRecord& record) {
    const absl::Status status = RestoreRecord(record.SerializeAsString(), &restored);
    MIMEO_CHECK(status.ok(), status.ToString());
  });
  MIMEO_CHECK(restored.DebugString() == state.DebugString(), state.DebugString(), " and ", restored.DebugString());
}

}  // namespace mimeo::fuzz
