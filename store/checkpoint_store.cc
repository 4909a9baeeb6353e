#include "store/checkpoint_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "store/keys.h"

namespace mimeo {
namespace {

constexpr size_t kDigestBytes = 32;

std::string UploadPrefix(absl::string_view job_id, int64_t step, absl::string_view content_id) {
  return absl::StrCat(NameKey(job_id), OrderedKey(step), NameKey(content_id));
}

std::string ChunkStoreKey(const ChunkKey& key) {
  return absl::StrCat(UploadPrefix(key.job_id, key.step, key.content_id), OrderedKey(key.index));
}

// "checkpoint j1 step 20 chunk 3"
std::string ChunkName(absl::string_view job_id, int64_t step, int64_t index) {
  return absl::StrCat("checkpoint ", job_id, " step ", step, " chunk ", index);
}

// Names become length-prefixed parts of keys, and numbers are stored as unsigned.
absl::Status CheckNames(absl::string_view job_id, int64_t step, absl::string_view content_id) {
  for (const auto& [field, text] : {std::make_pair("job_id", job_id), std::make_pair("content_id", content_id)}) {
    if (text.empty() || text.size() > limits::kNameBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat(field, ": ", text.size(), " bytes; must be 1 to ", limits::kNameBytes));
    }
  }
  if (step < 0) return absl::InvalidArgumentError(absl::StrCat("step: ", step, "; must not be negative"));
  return absl::OkStatus();
}

int64_t BytesOfChunk(const CheckpointManifest& manifest, int64_t index) {
  return std::min(manifest.chunk_bytes(), manifest.total_bytes() - index * manifest.chunk_bytes());
}

// Counts and sizes that must agree before any chunk is looked at.
absl::Status CheckManifest(const CheckpointManifest& manifest) {
  RETURN_IF_ERROR(CheckNames(manifest.job_id(), manifest.step(), manifest.content_id()));
  const int64_t chunk_bytes = manifest.chunk_bytes();
  if (chunk_bytes < 1 || chunk_bytes > limits::kChunkBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("chunk_bytes: ", chunk_bytes, "; must be 1 to ", limits::kChunkBytes));
  }
  if (manifest.total_bytes() < 1 || manifest.total_bytes() > limits::kCheckpointBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("total_bytes: ", manifest.total_bytes(), "; must be 1 to ", limits::kCheckpointBytes));
  }
  const int64_t chunks = (manifest.total_bytes() + chunk_bytes - 1) / chunk_bytes;
  if (manifest.chunk_sha256_size() != chunks) {
    return absl::InvalidArgumentError(absl::StrCat("chunk_sha256: ", manifest.chunk_sha256_size(), " digests, but ",
                                                   manifest.total_bytes(), " bytes in chunks of ", chunk_bytes, " are ",
                                                   chunks));
  }
  for (int i = 0; i < manifest.chunk_sha256_size(); ++i) {
    if (manifest.chunk_sha256(i).size() == kDigestBytes) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("chunk_sha256[", i, "]: ", manifest.chunk_sha256(i).size(), " bytes; must be ", kDigestBytes));
  }
  return absl::OkStatus();
}

// Why `bytes` are not what `manifest` promises for `index`; empty when they are.
std::string Difference(const CheckpointManifest& manifest, int64_t index, absl::string_view bytes) {
  const int64_t wanted = BytesOfChunk(manifest, index);
  if (static_cast<int64_t>(bytes.size()) != wanted) {
    return absl::StrCat(" has ", bytes.size(), " bytes, the manifest says ", wanted);
  }
  return Sha256(bytes) == manifest.chunk_sha256(static_cast<int>(index)) ? "" : " does not match its digest";
}

// Removals of the chunks that `manifest` names, without reading them.
void RemoveChunks(const CheckpointManifest& manifest, WriteBatch* batch) {
  for (int32_t index = 0; index < manifest.chunk_sha256_size(); ++index) {
    batch->removes.push_back(
        {Family::kChunks, ChunkStoreKey({manifest.job_id(), manifest.step(), manifest.content_id(), index})});
  }
}

// The uploads of a job by step. One chunk of each is read, whatever their size: from its key the scan leaps to the next
// upload.
absl::StatusOr<std::vector<Upload>> ListUploads(const KeyValueStore& store, absl::string_view job_id) {
  std::vector<Upload> uploads;
  const std::string job = NameKey(job_id);
  std::string start;
  bool found = true;
  while (found) {
    found = false;
    RETURN_IF_ERROR(store.Scan(Family::kChunks, job, start, [&](absl::string_view key, absl::string_view) {
      // job . step . content id . index
      const absl::string_view content =
          key.substr(job.size() + sizeof(uint64_t), key.size() - job.size() - 2 * sizeof(uint64_t));
      const uint64_t step = ParseOrderedKey(key.substr(job.size(), sizeof(uint64_t)));
      uploads.push_back({static_cast<int64_t>(step), std::string(content.substr(1))});
      start = absl::StrCat(key.substr(0, key.size() - sizeof(uint64_t)),
                           "\xff");  // an index is below 2^31: its first byte is 0
      found = true;
      return false;
    }));
  }
  return uploads;
}

}  // namespace

absl::Status CheckpointStore::PutChunk(const ChunkKey& key, absl::string_view sha256, absl::string_view bytes) {
  RETURN_IF_ERROR(CheckNames(key.job_id, key.step, key.content_id));
  const std::string name = ChunkName(key.job_id, key.step, key.index);
  if (key.index < 0) return absl::InvalidArgumentError(absl::StrCat(name, ": the index must not be negative"));
  if (static_cast<int64_t>(bytes.size()) > limits::kChunkBytes) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": ", bytes.size(), " bytes; at most ", limits::kChunkBytes));
  }
  if (Sha256(bytes) != sha256) return absl::InvalidArgumentError(absl::StrCat(name, ": the bytes do not match sha256"));
  WriteBatch batch;
  batch.puts.push_back({Family::kChunks, ChunkStoreKey(key), std::string(bytes)});
  return store_->Write(batch, Durability::kBuffered);
}

absl::StatusOr<WriteBatch> CheckpointStore::CommitBatch(const CheckpointManifest& manifest) const {
  RETURN_IF_ERROR(CheckManifest(manifest));
  for (int64_t index = 0; index < manifest.chunk_sha256_size(); ++index) {
    const std::string name = ChunkName(manifest.job_id(), manifest.step(), index);
    const absl::StatusOr<std::string> bytes = store_->Get(
        Family::kChunks,
        ChunkStoreKey({manifest.job_id(), manifest.step(), manifest.content_id(), static_cast<int32_t>(index)}));
    if (absl::IsNotFound(bytes.status())) {
      return absl::FailedPreconditionError(absl::StrCat(name, " of upload ", manifest.content_id(), " is missing"));
    }
    RETURN_IF_ERROR(bytes.status());
    if (const std::string difference = Difference(manifest, index, *bytes); !difference.empty()) {
      return absl::FailedPreconditionError(absl::StrCat(name, difference));
    }
  }
  WriteBatch batch;
  // Another upload may have made this step before (a gang that was replaced after its commit): its chunks go.
  const absl::StatusOr<CheckpointManifest> before = GetManifest(manifest.job_id(), manifest.step());
  if (!before.ok() && !absl::IsNotFound(before.status())) return before.status();
  if (before.ok() && before->content_id() != manifest.content_id()) {
    RemoveChunks(*before, &batch);
  }
  batch.puts.push_back(
      {Family::kManifests, ManifestKey(manifest.job_id(), manifest.step()), manifest.SerializeAsString()});
  return batch;
}

absl::StatusOr<std::string> CheckpointStore::GetChunk(const CheckpointManifest& manifest, int32_t index) const {
  const std::string name = ChunkName(manifest.job_id(), manifest.step(), index);
  if (index < 0 || index >= manifest.chunk_sha256_size()) {
    return absl::NotFoundError(absl::StrCat(name, ": the checkpoint has ", manifest.chunk_sha256_size(), " chunks"));
  }
  absl::StatusOr<std::string> bytes =
      store_->Get(Family::kChunks, ChunkStoreKey({manifest.job_id(), manifest.step(), manifest.content_id(), index}));
  if (absl::IsNotFound(bytes.status())) return absl::NotFoundError(absl::StrCat(name, " is not in the store"));
  if (!bytes.ok()) return absl::Status(bytes.status().code(), absl::StrCat(name, ": ", bytes.status().message()));
  if (const std::string difference = Difference(manifest, index, *bytes); !difference.empty()) {
    return absl::DataLossError(absl::StrCat(name, difference));
  }
  return bytes;
}

absl::StatusOr<CheckpointManifest> CheckpointStore::GetManifest(absl::string_view job_id, int64_t step) const {
  const absl::StatusOr<std::string> bytes = store_->Get(Family::kManifests, ManifestKey(job_id, step));
  if (absl::IsNotFound(bytes.status())) {
    return absl::NotFoundError(absl::StrCat("job ", job_id, " has no checkpoint of step ", step));
  }
  if (!bytes.ok()) {
    return absl::Status(bytes.status().code(), absl::StrCat("the manifest of checkpoint ", job_id, " step ", step, ": ",
                                                            bytes.status().message()));
  }
  CheckpointManifest manifest;
  if (manifest.ParseFromString(*bytes)) return manifest;
  return absl::DataLossError(absl::StrCat("the manifest of checkpoint ", job_id, " step ", step, " cannot be read"));
}

absl::StatusOr<std::vector<CheckpointManifest>> CheckpointStore::ListManifests(absl::string_view job_id) const {
  std::vector<CheckpointManifest> manifests;
  absl::Status status;
  RETURN_IF_ERROR(
      store_->Scan(Family::kManifests, ManifestPrefix(job_id), "", [&](absl::string_view key, absl::string_view value) {
        CheckpointManifest& manifest = manifests.emplace_back();
        if (manifest.ParseFromArray(value.data(), static_cast<int>(value.size()))) return true;
        const uint64_t step = ParseOrderedKey(key.substr(key.size() - sizeof(uint64_t)));
        status =
            absl::DataLossError(absl::StrCat("the manifest of checkpoint ", job_id, " step ", step, " cannot be read"));
        return false;
      }));
  RETURN_IF_ERROR(status);
  return manifests;
}

absl::StatusOr<WriteBatch> CheckpointStore::DeleteBatch(absl::string_view job_id, int64_t step) const {
  WriteBatch batch;
  const absl::StatusOr<CheckpointManifest> manifest = GetManifest(job_id, step);
  if (absl::IsNotFound(manifest.status())) return batch;
  RETURN_IF_ERROR(manifest.status());
  batch.removes.push_back({Family::kManifests, ManifestKey(job_id, step)});
  RemoveChunks(*manifest, &batch);
  return batch;
}

absl::StatusOr<std::vector<Upload>> CheckpointStore::ListUncommitted(absl::string_view job_id) const {
  ASSIGN_OR_RETURN(const std::vector<CheckpointManifest> manifests, ListManifests(job_id));
  ASSIGN_OR_RETURN(std::vector<Upload> uploads, ListUploads(*store_, job_id));
  for (const CheckpointManifest& manifest : manifests) {
    const Upload committed = {manifest.step(), manifest.content_id()};
    uploads.erase(std::remove(uploads.begin(), uploads.end(), committed), uploads.end());
  }
  return uploads;
}

absl::Status CheckpointStore::DeleteUpload(absl::string_view job_id, const Upload& upload) {
  WriteBatch batch;
  const std::string prefix = UploadPrefix(job_id, upload.step, upload.content_id);
  RETURN_IF_ERROR(store_->Scan(Family::kChunks, prefix, "", [&](absl::string_view key, absl::string_view) {
    batch.removes.push_back({Family::kChunks, std::string(key)});
    return true;
  }));
  return store_->Write(batch, Durability::kBuffered);
}

}  // namespace mimeo
