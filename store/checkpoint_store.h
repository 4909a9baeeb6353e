// Checkpoints on disk: their bytes in chunks, and the manifests that say which chunks make a checkpoint. A checkpoint
// exists from the moment its manifest is written. Chunks without a manifest are an upload that is under way, or one
// that nobody finished.
//
// Thread-safe. Every call reads or writes the disk and blocks for as long as that takes. An error that no comment names
// is that of the KeyValueStore: ResourceExhausted when the disk is full, Unavailable when it fails.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/checkpoint.pb.h"
#include "store/key_value_store.h"

namespace mimeo {

// Where a chunk lies. Two attempts at one step have different content ids, so their chunks never mix.
struct ChunkKey {
  std::string job_id;
  int64_t step = 0;
  std::string content_id;
  int32_t index = 0;  // from 0; chunk i holds the bytes from i * chunk_bytes on
};

// One attempt of a gang to store a checkpoint of a job.
struct Upload {
  int64_t step = 0;
  std::string content_id;
};
inline bool operator==(const Upload& a, const Upload& b) { return a.step == b.step && a.content_id == b.content_id; }

class CheckpointStore {
 public:
  // `store` must outlive this object, which has no state of its own.
  explicit CheckpointStore(KeyValueStore* store) : store_(store) {}

  // Stores one chunk. A chunk that is sent again replaces itself, so a repeated call does no harm. It survives a crash
  // of the process, but a crash of the machine only once its checkpoint is committed. InvalidArgument: the bytes are
  // more than limits::kChunkBytes, or do not have the digest `sha256`, or a part of the key is out of its range.
  absl::Status PutChunk(const ChunkKey& key, absl::string_view sha256, absl::string_view bytes);

  // Prepares the commit of a checkpoint: reads every chunk, checks it against the manifest, and returns what must be
  // written. Nothing is written here: the caller gives the batch to Journal::Append, so that the manifest and its event
  // are written together, and that synced write makes the chunks before it durable too. Where another upload was
  // committed for the same step before, the batch deletes its chunks.
  //
  // It reads the whole checkpoint, so it takes as long as the disk needs for that. InvalidArgument: numbers in the
  // manifest contradict each other. FailedPrecondition: a chunk is missing or differs; the error names it, and the rank
  // has to upload it again.
  absl::StatusOr<WriteBatch> CommitBatch(const CheckpointManifest& manifest) const;

  // The bytes of one chunk, checked against the digest in `manifest`. NotFound: the manifest has no such chunk, or its
  // bytes are not in the store, as when the checkpoint was deleted meanwhile. DataLoss: the bytes differ from the
  // manifest.
  absl::StatusOr<std::string> GetChunk(const CheckpointManifest& manifest, int32_t index) const;

  // NotFound: no checkpoint of this step is committed. DataLoss: its manifest cannot be read.
  absl::StatusOr<CheckpointManifest> GetManifest(absl::string_view job_id, int64_t step) const;
  // All of a job, ascending by step. DataLoss: one of them cannot be read; the error says which.
  absl::StatusOr<std::vector<CheckpointManifest>> ListManifests(absl::string_view job_id) const;

  // What must be written to delete a checkpoint, manifest and chunks. The caller writes it together with the event
  // CheckpointDeleted. Empty when there is no such checkpoint, so a repeated deletion does no harm.
  absl::StatusOr<WriteBatch> DeleteBatch(absl::string_view job_id, int64_t step) const;

  // The uploads of `job_id` that no manifest names: those under way too. It reads one chunk of each upload, whatever
  // the size of the upload.
  absl::StatusOr<std::vector<Upload>> ListUncommitted(absl::string_view job_id) const;
  // Deletes the chunks of an upload. REQUIRES: no manifest names it, and nobody commits it meanwhile.
  absl::Status DeleteUpload(absl::string_view job_id, const Upload& upload);

 private:
  KeyValueStore* const store_;
};

}  // namespace mimeo
