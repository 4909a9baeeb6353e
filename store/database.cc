#include "store/database.h"

#include <rocksdb/listener.h>
#include <rocksdb/table.h>
#include <spdlog/spdlog.h>

#include <array>
#include <cstdarg>
#include <cstdio>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "store/directory_check.h"

namespace mimeo {
namespace {

// 1: the journal holds every event. 2: its first events may be in a snapshot.
constexpr char kSchemaVersion[] = "1";
constexpr char kSnapshotVersion[] = "2";
// Of Family; the last one, kSnapshots, is RocksDB's "default", which every store has: its families stay as they are.
constexpr std::array<const char*, kNumFamilies - 1> kFamilyNames = {"journal", "manifests", "chunks", "metrics"};

// RocksDB's own log goes where ours goes. To a file of its own it would write on after an error, which ends the process
// where RocksDB was built with assertions, as Debian's is: a full disk would.
class RocksDbLog : public rocksdb::Logger {
 public:
  RocksDbLog() : rocksdb::Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    char line[1024];
    std::vsnprintf(line, sizeof(line), format, arguments);
    spdlog::warn("rocksdb: {}", line);
  }
};

// After an error RocksDB writes again when it is told to (Resume), not when it finds for itself that the disk has room:
// it waits for more room than a small disk may have.
class ResumeByHand : public rocksdb::EventListener {
 public:
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status, bool* auto_recovery) override {
    *auto_recovery = false;
  }
};

// Chunks are large and are deleted with their checkpoint: out of the tree into blob files, so that compaction leaves
// them be.
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

}  // namespace

rocksdb::Options DatabaseOptions(rocksdb::Env* env) {
  rocksdb::Options options;
  options.env = env;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  // Would take tens of megabytes for logs that may stay short: all that a small disk has.
  options.allow_fallocate = false;
  options.info_log = std::make_shared<RocksDbLog>();
  options.listeners = {std::make_shared<ResumeByHand>()};
  options.max_open_files = limits::kStoreOpenFiles;
  options.max_total_wal_size = limits::kStoreLogBytes;
  options.max_background_jobs = 2;
  options.bytes_per_sync = limits::kChunkBytes;  // spreads the sync of large files over their writing
  options.wal_bytes_per_sync = limits::kChunkBytes;
  // Everything up to the first record that is not whole. That this is a torn end and no damage was checked before
  // (directory_check.h).
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.write_buffer_size = limits::kStoreWriteBufferBytes;
  return options;
}

std::vector<rocksdb::ColumnFamilyDescriptor> DatabaseFamilies(const rocksdb::Options& options) {
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const char* name : kFamilyNames) {
    const bool chunks = name == absl::string_view(kFamilyNames[static_cast<int>(Family::kChunks)]);
    families.emplace_back(name, chunks ? ChunkOptions(options) : rocksdb::ColumnFamilyOptions(options));
  }
  families.emplace_back(rocksdb::kDefaultColumnFamilyName, rocksdb::ColumnFamilyOptions(options));
  return families;
}

absl::Status ToStatus(const rocksdb::Status& status, const std::string& path) {
  if (status.ok()) return absl::OkStatus();
  const std::string message = absl::StrCat("store ", path, ": ", status.ToString());
  if (status.IsNotFound()) return absl::NotFoundError(message);
  if (status.IsCorruption() || status.IsPathNotFound()) {
    return absl::DataLossError(message);  // a file that should be there
  }
  if (status.IsNoSpace()) return absl::ResourceExhaustedError(message);
  return absl::UnavailableError(message);
}

absl::Status ToOpenStatus(const rocksdb::Status& status, const std::string& path) {
  const std::string text = status.ToString();
  if (status.IsIOError() && (absl::StrContains(text, "lock ") || absl::StrContains(text, "LOCK"))) {
    return absl::UnavailableError(
        absl::StrCat("store ", path, " is held by another process; one coordinator at a time may use it (", text, ")"));
  }
  if (status.IsInvalidArgument() && absl::StrContains(text, "Column families not opened")) {
    return absl::FailedPreconditionError(
        absl::StrCat("store ", path, " has families that schema version ", kSnapshotVersion, " does not know: ", text));
  }
  return ToStatus(status, path);
}

absl::StatusOr<std::shared_ptr<Database>> Database::Open(const std::string& path, rocksdb::Env* env, Mode mode) {
  std::shared_ptr<Database> database(new Database(path, mode));
  RETURN_IF_ERROR(database->OpenFiles(env));
  RETURN_IF_ERROR(database->CheckSchema());
  return database;
}

Database::~Database() {
  if (db_ == nullptr) return;
  for (rocksdb::ColumnFamilyHandle* handle : handles_) db_->DestroyColumnFamilyHandle(handle);
  const rocksdb::Status closed = db_->Close();
  closed.PermitUncheckedError();  // what was promised to survive is in the log already
}

absl::Status Database::OpenFiles(rocksdb::Env* env) {
  if (mode_ == Mode::kReadWrite) {
    const absl::StatusOr<std::string> manifest = CurrentManifest(path_);
    Ledger::Lengths lengths;
    if (manifest.ok()) lengths = LedgerOf(path_, *manifest).value_or(Ledger::Lengths());
    ASSIGN_OR_RETURN(ledger_, Ledger::Create(path_, std::move(lengths)));
    env_ = NewLedgerEnv(env, ledger_.get());
    env = env_.get();
  }
  const rocksdb::Options options = DatabaseOptions(env);
  const std::vector<rocksdb::ColumnFamilyDescriptor> families = DatabaseFamilies(options);
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = mode_ == Mode::kReadOnly
                                     ? rocksdb::DB::OpenForReadOnly(options, path_, families, &handles_, &db)
                                     : rocksdb::DB::Open(options, path_, families, &handles_, &db);
  if (!status.ok()) return ToOpenStatus(status, path_);
  db_.reset(db);
  return absl::OkStatus();
}

// A new directory gets our version; another's is refused, never misread.
absl::Status Database::CheckSchema() {
  rocksdb::ColumnFamilyHandle* const handle = Handle(Family::kSnapshots);
  std::string version;
  const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), handle, kSchemaKey, &version);
  if (status.IsNotFound() && mode_ != Mode::kReadOnly) {
    rocksdb::WriteOptions synced;
    synced.sync = true;
    return ToStatus(db_->Put(synced, handle, kSchemaKey, kSchemaVersion), path_);
  }
  RETURN_IF_ERROR(ToStatus(status, path_));
  if (version == kSchemaVersion || version == kSnapshotVersion) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("store ", path_, " has schema version ", version,
                                                    ", and this binary knows versions ", kSchemaVersion, " and ",
                                                    kSnapshotVersion, " only"));
}

rocksdb::Status Database::AddSnapshotVersion(rocksdb::WriteBatch* writes) const {
  return writes->Put(Handle(Family::kSnapshots), kSchemaKey, kSnapshotVersion);
}

}  // namespace mimeo
