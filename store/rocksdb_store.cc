#include "store/rocksdb_store.h"

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <array>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace mimeo {
namespace {

constexpr char kSchemaKey[] = "schema_version";
constexpr char kSchemaVersion[] = "1";
constexpr std::array<const char*, kNumFamilies> kFamilyNames = {"journal", "manifests", "chunks", "metrics"};

rocksdb::Slice ToSlice(absl::string_view bytes) { return rocksdb::Slice(bytes.data(), bytes.size()); }
absl::string_view ToView(const rocksdb::Slice& slice) { return absl::string_view(slice.data(), slice.size()); }

// RocksDB's status for an operation on the store at `path`.
absl::Status ToStatus(const rocksdb::Status& status, const std::string& path) {
  if (status.ok()) return absl::OkStatus();
  const std::string message = absl::StrCat("store ", path, ": ", status.ToString());
  if (status.IsNotFound()) return absl::NotFoundError(message);
  if (status.IsCorruption()) return absl::DataLossError(message);
  if (status.IsNoSpace()) return absl::ResourceExhaustedError(message);
  return absl::UnavailableError(message);
}

absl::Status OpenError(const rocksdb::Status& status, const std::string& path) {
  const std::string text = status.ToString();
  if (status.IsIOError() && (absl::StrContains(text, "lock ") || absl::StrContains(text, "LOCK"))) {
    return absl::UnavailableError(
        absl::StrCat("store ", path, " is held by another process; one coordinator at a time may use it (", text, ")"));
  }
  if (status.IsInvalidArgument() && absl::StrContains(text, "Column families not opened")) {
    return absl::FailedPreconditionError(
        absl::StrCat("store ", path, " has families that schema version ", kSchemaVersion, " does not know: ", text));
  }
  return ToStatus(status, path);
}

class RocksDbStore : public KeyValueStore {
 public:
  RocksDbStore(std::string path, std::unique_ptr<rocksdb::Env> memory)
      : path_(std::move(path)), memory_(std::move(memory)) {}

  ~RocksDbStore() override {
    if (db_ == nullptr) return;
    for (rocksdb::ColumnFamilyHandle* handle : handles_) db_->DestroyColumnFamilyHandle(handle);
    const rocksdb::Status closed = db_->Close();
    closed.PermitUncheckedError();  // what was promised to survive is in the log already
  }

  absl::Status Open(rocksdb::Env* env);

  absl::StatusOr<std::string> Get(Family family, absl::string_view key) const override {
    std::string value;
    const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), Handle(family), ToSlice(key), &value);
    if (!status.ok()) return ToStatus(status, path_);
    return value;
  }

  absl::Status Write(const WriteBatch& batch, Durability durability) override {
    rocksdb::WriteBatch writes;
    for (const WriteBatch::Put& put : batch.puts) {
      RETURN_IF_ERROR(ToStatus(writes.Put(Handle(put.family), ToSlice(put.key), ToSlice(put.value)), path_));
    }
    for (const WriteBatch::Remove& remove : batch.removes) {
      RETURN_IF_ERROR(ToStatus(writes.Delete(Handle(remove.family), ToSlice(remove.key)), path_));
    }
    rocksdb::WriteOptions options;
    options.sync = durability == Durability::kSynced;
    return Written(db_->Write(options, &writes));
  }

  absl::Status Scan(Family family, absl::string_view prefix, absl::string_view start,
                    absl::FunctionRef<bool(absl::string_view, absl::string_view)> visit) const override {
    rocksdb::ReadOptions options;
    options.total_order_seek = true;
    const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(options, Handle(family)));
    for (it->Seek(ToSlice(start.empty() || start < prefix ? prefix : start)); it->Valid(); it->Next()) {
      if (!it->key().starts_with(ToSlice(prefix))) break;
      if (!visit(ToView(it->key()), ToView(it->value()))) break;
    }
    return ToStatus(it->status(), path_);
  }

  absl::StatusOr<int64_t> ApproximateBytes() const override {
    uint64_t total = 0;
    for (rocksdb::ColumnFamilyHandle* handle : handles_) {
      for (const std::string& property :
           {rocksdb::DB::Properties::kTotalSstFilesSize, rocksdb::DB::Properties::kTotalBlobFileSize,
            rocksdb::DB::Properties::kCurSizeAllMemTables}) {
        uint64_t bytes = 0;
        if (!db_->GetIntProperty(handle, property, &bytes)) {
          return absl::UnavailableError(absl::StrCat("store ", path_, " does not tell ", property));
        }
        total += bytes;
      }
    }
    return static_cast<int64_t>(total);
  }

 private:
  rocksdb::ColumnFamilyHandle* Handle(Family family) const { return handles_[static_cast<int>(family)]; }

  // After a failed write RocksDB refuses all others until it recovers. It does so by itself within 5 s when a full disk has room
  // again; after any other error it must be told to.
  absl::Status Written(const rocksdb::Status& status) {
    if (!status.ok()) db_->Resume().PermitUncheckedError();
    return ToStatus(status, path_);
  }

  absl::Status CheckSchema();

  const std::string path_;
  const std::unique_ptr<rocksdb::Env> memory_;  // null: on disk
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;  // by Family; then RocksDB's "default", which holds the schema version
};

rocksdb::Options DatabaseOptions(rocksdb::Env* env) {
  rocksdb::Options options;
  if (env != nullptr) options.env = env;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.keep_log_file_num = 4;
  options.max_open_files = limits::kStoreOpenFiles;
  options.max_total_wal_size = limits::kStoreLogBytes;
  options.max_background_jobs = 2;
  options.bytes_per_sync = limits::kChunkBytes;      // spreads the sync of large files over their writing
  options.wal_bytes_per_sync = limits::kChunkBytes;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.write_buffer_size = limits::kStoreWriteBufferBytes;
  return options;
}

// Chunks are large and are deleted with their checkpoint: out of the tree into blob files, so that compaction leaves them be.
rocksdb::ColumnFamilyOptions ChunkOptions(const rocksdb::Options& base) {
  rocksdb::ColumnFamilyOptions options(base);
  options.enable_blob_files = true;
  options.min_blob_size = 4096;
  options.blob_file_size = limits::kStoreBlobFileBytes;
  options.enable_blob_garbage_collection = true;
  options.blob_garbage_collection_age_cutoff = 0.5;
  options.compression = rocksdb::kNoCompression;  // floating point numbers
  return options;
}

absl::Status RocksDbStore::Open(rocksdb::Env* env) {
  if (memory_ == nullptr) RETURN_IF_ERROR(MakeDirs(path_));
  const rocksdb::Options options = DatabaseOptions(memory_ == nullptr ? env : memory_.get());
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const char* name : kFamilyNames) {
    const bool chunks = name == absl::string_view(kFamilyNames[static_cast<int>(Family::kChunks)]);
    families.emplace_back(name, chunks ? ChunkOptions(options) : rocksdb::ColumnFamilyOptions(options));
  }
  families.emplace_back(rocksdb::kDefaultColumnFamilyName, rocksdb::ColumnFamilyOptions(options));
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(options, path_, families, &handles_, &db);
  if (!status.ok()) return OpenError(status, path_);
  db_.reset(db);
  return CheckSchema();
}

// A new directory gets our version; another's is refused, never misread.
absl::Status RocksDbStore::CheckSchema() {
  rocksdb::ColumnFamilyHandle* const handle = handles_.back();
  std::string version;
  const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), handle, kSchemaKey, &version);
  if (status.IsNotFound()) {
    rocksdb::WriteOptions synced;
    synced.sync = true;
    return ToStatus(db_->Put(synced, handle, kSchemaKey, kSchemaVersion), path_);
  }
  RETURN_IF_ERROR(ToStatus(status, path_));
  if (version == kSchemaVersion) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("store ", path_, " has schema version ", version,
                                                    ", and this binary knows version ", kSchemaVersion, " only"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<KeyValueStore>> OpenRocksDbStore(const RocksDbOptions& options) {
  std::unique_ptr<rocksdb::Env> memory(options.in_memory ? rocksdb::NewMemEnv(rocksdb::Env::Default()) : nullptr);
  // The memory Env takes absolute paths only.
  const std::string path = options.in_memory ? JoinPath("/", options.path) : options.path;
  auto store = std::make_unique<RocksDbStore>(path, std::move(memory));
  RETURN_IF_ERROR(store->Open(options.env));
  return std::unique_ptr<KeyValueStore>(std::move(store));
}

}  // namespace mimeo
