#include "coordinator/replay.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "job/job_spec.h"
#include "proto/event.pb.h"
#include "proto/snapshot.pb.h"

namespace mimeo {
namespace {

absl::Status Load(const JournalSnapshot& snapshot, ClusterState* state) {
  for (size_t i = 0; i < snapshot.records.size(); ++i) {
    const absl::Status legal = RestoreRecord(snapshot.records[i], state);
    if (!legal.ok()) return absl::DataLossError(absl::StrCat("record ", i + 1, ": ", legal.message()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ReplayEvent(const Event& event, ClusterState* state) {
  RETURN_IF_ERROR(state->CheckReplayed(event));
  Event current = event;
  if (current.has_job_submitted()) {
    *current.mutable_job_submitted()->mutable_spec() = InThisVersion(event.job_submitted().spec());
  }
  if (current.has_job_extended()) {
    *current.mutable_job_extended()->mutable_spec() = InThisVersion(event.job_extended().spec());
  }
  state->Apply(current);
  return absl::OkStatus();
}

absl::Status RestoreRecord(absl::string_view bytes, ClusterState* state) {
  SnapshotRecord record;
  if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError("it cannot be read");
  }
  if (record.has_job()) *record.mutable_job()->mutable_spec() = InThisVersion(record.job().spec());
  return state->Restore(record);
}

absl::Status ReplayInto(Journal* journal, ClusterState* state) {
  const auto apply = [&](const Event& event) {
    const absl::Status legal = ReplayEvent(event, state);
    if (legal.ok()) return legal;
    return absl::DataLossError(
        absl::StrCat("journal entry ", journal->size(), " contradicts those before it: ", legal.message()));
  };
  return journal->Replay(apply, [&](const JournalSnapshot& snapshot) { return Load(snapshot, state); });
}

}  // namespace mimeo
