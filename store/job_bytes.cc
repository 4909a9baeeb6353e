#include "store/job_bytes.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "store/keys.h"

namespace mimeo {
namespace {

// Every other key of the family begins with the length of a job's id, which is not 0.
std::string MarkPrefix() { return std::string(1, '\0'); }
std::string MarkKey(absl::string_view job_id) { return absl::StrCat(MarkPrefix(), job_id); }

absl::StatusOr<std::vector<std::string>> KeysOf(const KeyValueStore& store, Family family, const std::string& prefix,
                                                size_t limit) {
  std::vector<std::string> keys;
  RETURN_IF_ERROR(store.Scan(family, prefix, "", [&](absl::string_view key, absl::string_view) {
    keys.push_back(std::string(key));
    return keys.size() < limit;
  }));
  return keys;
}

// Chunks are removed by the names in their manifest, which need not be read themselves.
absl::Status RemoveCheckpoints(KeyValueStore* store, absl::string_view job_id) {
  CheckpointStore checkpoints(store);
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<std::string> keys,
                     KeysOf(*store, Family::kManifests, ManifestPrefix(job_id), 1));
    if (keys.empty()) break;
    const uint64_t step = ParseOrderedKey(absl::string_view(keys[0]).substr(keys[0].size() - sizeof(uint64_t)));
    absl::StatusOr<WriteBatch> batch = checkpoints.DeleteBatch(job_id, static_cast<int64_t>(step));
    // Of a manifest that cannot be read the chunks are found below, as an upload that nobody committed.
    if (absl::IsDataLoss(batch.status())) batch.emplace().removes.push_back({Family::kManifests, keys[0]});
    RETURN_IF_ERROR(batch.status());
    RETURN_IF_ERROR(store->Write(*batch, Durability::kBuffered));
  }
  ASSIGN_OR_RETURN(const std::vector<Upload> uploads, checkpoints.ListUncommitted(job_id));
  for (const Upload& upload : uploads) RETURN_IF_ERROR(checkpoints.DeleteUpload(job_id, upload));
  return absl::OkStatus();
}

absl::Status RemoveMetrics(KeyValueStore* store, absl::string_view job_id) {
  constexpr size_t kBatch = 1000;
  while (true) {
    ASSIGN_OR_RETURN(std::vector<std::string> keys, KeysOf(*store, Family::kMetrics, NameKey(job_id), kBatch));
    if (keys.empty()) return absl::OkStatus();
    WriteBatch batch;
    for (std::string& key : keys) batch.removes.push_back({Family::kMetrics, std::move(key)});
    RETURN_IF_ERROR(store->Write(batch, Durability::kBuffered));
  }
}

}  // namespace

WriteBatch BeginRemoval(const CheckpointStore& checkpoints, absl::string_view job_id, int64_t newest_step) {
  // Where that manifest cannot be read, RemoveJob takes the checkpoint away.
  WriteBatch batch = checkpoints.DeleteBatch(job_id, newest_step).value_or(WriteBatch());
  batch.puts.push_back({Family::kManifests, MarkKey(job_id), ""});
  return batch;
}

absl::StatusOr<std::vector<std::string>> UnfinishedRemovals(const KeyValueStore& store) {
  std::vector<std::string> jobs;
  RETURN_IF_ERROR(store.Scan(Family::kManifests, MarkPrefix(), "", [&](absl::string_view key, absl::string_view) {
    jobs.push_back(std::string(key.substr(MarkPrefix().size())));
    return true;
  }));
  return jobs;
}

absl::Status RemoveJob(KeyValueStore* store, absl::string_view job_id) {
  RETURN_IF_ERROR(RemoveCheckpoints(store, job_id));
  RETURN_IF_ERROR(RemoveMetrics(store, job_id));
  WriteBatch batch;
  batch.removes.push_back({Family::kManifests, MarkKey(job_id)});
  return store->Write(batch, Durability::kBuffered);
}

}  // namespace mimeo
