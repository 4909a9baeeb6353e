// The removal of all that the store holds of a job: its chunks, manifests and metrics. Free functions, thread-safe as
// the store is.
//
// It may be more than one write holds, so it is done in steps behind a mark: the mark is written together with the
// event that deletes the job, and removed last. Marks that are found at a start are removals that did not end.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "store/checkpoint_store.h"
#include "store/key_value_store.h"

namespace mimeo {

// Puts the mark of `job_id`. Its newest checkpoint goes in the same write: on a full disk, a write that frees room is
// let through where others are not.
WriteBatch BeginRemoval(const CheckpointStore& checkpoints, absl::string_view job_id, int64_t newest_step);

// The jobs with a mark.
absl::StatusOr<std::vector<std::string>> UnfinishedRemovals(const KeyValueStore& store);

// Removes everything of `job_id`, then its mark. After an error a part is gone: call again. REQUIRES: nobody writes
// anything of the job any more.
absl::Status RemoveJob(KeyValueStore* store, absl::string_view job_id);

}  // namespace mimeo
