// Removes all that the store holds of a job: its chunks, manifests and metrics. Free functions, which are thread-safe
// as the store is.
//
// That may be more than one write can hold, so it is done in several. A mark makes sure that it is finished: it is
// written together with the event that deletes the job, and removed last. A mark that is found when the coordinator
// starts belongs to a removal that was broken off, which then goes on.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "store/checkpoint_store.h"
#include "store/key_value_store.h"

namespace mimeo {

// The first write of a removal, which the caller gives to Journal::Append with the event. It puts the mark of `job_id`
// and deletes its newest checkpoint: on a full disk the store lets a write through that removes something where it
// refuses others, so a job can be deleted to make room.
WriteBatch BeginRemoval(const CheckpointStore& checkpoints, absl::string_view job_id, int64_t newest_step);

// The ids of the jobs that have a mark.
absl::StatusOr<std::vector<std::string>> UnfinishedRemovals(const KeyValueStore& store);

// Removes everything of `job_id`, and its mark at the end. After an error a part is gone and the mark is still there:
// call it again later. To call it for a job that is gone does no harm. REQUIRES: nobody writes anything of this job any
// more.
absl::Status RemoveJob(KeyValueStore* store, absl::string_view job_id);

}  // namespace mimeo
