// Checkpoint bytes in chunks under (job, step, upload, index), and the manifests that make them exist. Thread-safe.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/checkpoint.pb.h"
#include "store/key_value_store.h"

namespace mimeo {

struct ChunkKey {
  std::string job_id;
  int64_t step = 0;
  std::string content_id;
  int32_t index = 0;
};

// One attempt to bring a checkpoint in.
struct Upload {
  int64_t step = 0;
  std::string content_id;
};
inline bool operator==(const Upload& a, const Upload& b) { return a.step == b.step && a.content_id == b.content_id; }

class CheckpointStore {
 public:
  explicit CheckpointStore(KeyValueStore* store) : store_(store) {}

  // InvalidArgument: over 1 MiB, or not the bytes of `sha256`. ResourceExhausted: disk full. Buffered.
  absl::Status PutChunk(const ChunkKey& key, absl::string_view sha256, absl::string_view bytes);

  // What to write, together with the journal's event, to commit `manifest`. Checks that every chunk is there and whole.
  // The journal's synced write makes the buffered chunks durable too. Chunks of another upload that was committed for
  // the same step are deleted by the batch. InvalidArgument: counts or sizes that contradict. FailedPrecondition: a
  // chunk is missing or differs (names it).
  absl::StatusOr<WriteBatch> CommitBatch(const CheckpointManifest& manifest) const;

  // The bytes, verified. NotFound; DataLoss names the checkpoint and chunk.
  absl::StatusOr<std::string> GetChunk(const CheckpointManifest& manifest, int32_t index) const;

  absl::StatusOr<CheckpointManifest> GetManifest(absl::string_view job_id, int64_t step) const;   // NotFound
  absl::StatusOr<std::vector<CheckpointManifest>> ListManifests(absl::string_view job_id) const;  // by step

  // The writes that delete a checkpoint's manifest and chunks; to travel with its CheckpointDeleted event. Empty when
  // there is no such checkpoint.
  absl::StatusOr<WriteBatch> DeleteBatch(absl::string_view job_id, int64_t step) const;

  // The uploads of `job_id` that no manifest names. Cost: a read per upload, whatever its size.
  absl::StatusOr<std::vector<Upload>> ListUncommitted(absl::string_view job_id) const;
  // Deletes the chunks of one. REQUIRES: nobody commits it meanwhile.
  absl::Status DeleteUpload(absl::string_view job_id, const Upload& upload);

 private:
  KeyValueStore* const store_;
};

}  // namespace mimeo
