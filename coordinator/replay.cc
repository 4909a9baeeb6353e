#include "coordinator/replay.h"

#include "absl/strings/str_cat.h"
#include "job/job_spec.h"
#include "proto/event.pb.h"
#include "proto/snapshot.pb.h"

namespace mimeo {
namespace {

absl::Status Load(const JournalSnapshot& snapshot, ClusterState* state) {
  for (size_t i = 0; i < snapshot.records.size(); ++i) {
    SnapshotRecord record;
    const bool read = record.ParseFromString(snapshot.records[i]);
    if (record.has_job()) *record.mutable_job()->mutable_spec() = InThisVersion(record.job().spec());
    const absl::Status legal = read ? state->Restore(record) : absl::DataLossError("it cannot be read");
    if (!legal.ok()) return absl::DataLossError(absl::StrCat("record ", i + 1, ": ", legal.message()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ReplayInto(Journal* journal, ClusterState* state) {
  const auto apply = [&](const Event& event) {
    const absl::Status legal = state->CheckReplayed(event);
    if (!legal.ok()) {
      return absl::DataLossError(
          absl::StrCat("journal entry ", journal->size(), " contradicts those before it: ", legal.message()));
    }
    Event current = event;
    if (current.has_job_submitted()) {
      *current.mutable_job_submitted()->mutable_spec() = InThisVersion(event.job_submitted().spec());
    }
    state->Apply(current);
    return absl::OkStatus();
  };
  return journal->Replay(apply, [&](const JournalSnapshot& snapshot) { return Load(snapshot, state); });
}

}  // namespace mimeo
