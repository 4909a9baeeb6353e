#include "store/rocksdb_store.h"

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/write_batch.h>
#include <spdlog/spdlog.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "store/database.h"
#include "store/directory_check.h"
#include "store/directory_lock.h"

namespace mimeo {
namespace {

// Room that is left to RocksDB for what it writes behind our back, and for opening the store again. Of a small disk
// less.
constexpr int64_t kReserveBytes = 64 << 20;
constexpr int64_t kReservePartOfDisk = 16;

rocksdb::Slice ToSlice(absl::string_view bytes) { return rocksdb::Slice(bytes.data(), bytes.size()); }
absl::string_view ToView(const rocksdb::Slice& slice) { return absl::string_view(slice.data(), slice.size()); }

// OK while the disk under `path` has room for `bytes` and the reserve, or, for what `makes_room`, a quarter of it. A
// full disk is found here, and not by RocksDB half way through a write.
absl::Status CheckRoom(const std::string& path, int64_t bytes, bool makes_room = false) {
  struct statvfs disk;
  if (::statvfs(path.c_str(), &disk) != 0) {
    return absl::UnavailableError(absl::StrCat("store ", path, ": ", std::strerror(errno)));
  }
  const int64_t block = static_cast<int64_t>(disk.f_frsize);
  const int64_t whole = std::min(kReserveBytes, static_cast<int64_t>(disk.f_blocks) * block / kReservePartOfDisk);
  const int64_t reserve = makes_room ? whole / 4 : whole;
  const int64_t free = static_cast<int64_t>(disk.f_bavail) * block;
  if (free >= bytes + reserve) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("store ", path, ": its disk is full: ", free,
                                                   " bytes are free, and ", bytes + reserve, " are needed (", reserve,
                                                   " of them as a reserve)"));
}

int64_t BytesOf(const WriteBatch& batch) {
  int64_t bytes = 0;
  for (const WriteBatch::Put& put : batch.puts) bytes += static_cast<int64_t>(put.key.size() + put.value.size());
  for (const WriteBatch::Remove& remove : batch.removes) bytes += static_cast<int64_t>(remove.key.size());
  return bytes;
}

class RocksDbStore : public KeyValueStore {
 public:
  RocksDbStore(std::string path, rocksdb::Env* env, std::unique_ptr<rocksdb::Env> memory)
      : path_(std::move(path)), env_(env), memory_(std::move(memory)) {}

  absl::Status Open() ABSL_LOCKS_EXCLUDED(mu_);

  absl::StatusOr<std::string> Get(Family family, absl::string_view key) const override {
    const std::shared_ptr<Database> db = Current();
    std::string value;
    const rocksdb::Status status = (*db)->Get(rocksdb::ReadOptions(), db->Handle(family), ToSlice(key), &value);
    if (!status.ok()) return ToStatus(status, path_);
    return value;
  }

  absl::Status Write(const WriteBatch& batch, Durability durability) override {
    if (memory_ == nullptr) RETURN_IF_ERROR(CheckRoom(path_, BytesOf(batch), !batch.removes.empty()));
    ASSIGN_OR_RETURN(std::shared_ptr<Database> db, Writable());
    rocksdb::WriteBatch writes;
    bool snapshot = false;
    for (const WriteBatch::Put& put : batch.puts) {
      RETURN_IF_ERROR(ToStatus(writes.Put(db->Handle(put.family), ToSlice(put.key), ToSlice(put.value)), path_));
      if (put.family == Family::kSnapshots) snapshot = true;
    }
    if (snapshot) RETURN_IF_ERROR(ToStatus(db->AddSnapshotVersion(&writes), path_));
    for (const WriteBatch::Remove& remove : batch.removes) {
      RETURN_IF_ERROR(ToStatus(writes.Delete(db->Handle(remove.family), ToSlice(remove.key)), path_));
    }
    rocksdb::WriteOptions options;
    options.sync = durability == Durability::kSynced;
    rocksdb::Status status = (*db)->Write(options, &writes);
    // After an error, of this write or of its own in the background, RocksDB refuses all writes until it is told to go
    // on. Told so without room it would never again.
    if (status.ok() || !CheckRoom(path_, BytesOf(batch)).ok()) return ToStatus(status, path_);
    if ((*db)->Resume().ok()) return ToStatus((*db)->Write(options, &writes), path_);
    GiveUpWriting(std::move(db));
    return ToStatus(status, path_);
  }

  absl::Status Scan(Family family, absl::string_view prefix, absl::string_view start,
                    absl::FunctionRef<bool(absl::string_view, absl::string_view)> visit) const override {
    const std::shared_ptr<Database> db = Current();
    rocksdb::ReadOptions options;
    options.total_order_seek = true;
    const std::unique_ptr<rocksdb::Iterator> it((*db)->NewIterator(options, db->Handle(family)));
    for (it->Seek(ToSlice(start.empty() || start < prefix ? prefix : start)); it->Valid(); it->Next()) {
      if (!it->key().starts_with(ToSlice(prefix))) break;
      if (family == Family::kSnapshots && it->key() == Database::kSchemaKey) continue;
      if (!visit(ToView(it->key()), ToView(it->value()))) break;
    }
    return ToStatus(it->status(), path_);
  }

  absl::StatusOr<int64_t> ApproximateBytes() const override {
    const std::shared_ptr<Database> db = Current();
    uint64_t total = 0;
    for (rocksdb::ColumnFamilyHandle* handle : db->handles()) {
      for (const std::string& property :
           {rocksdb::DB::Properties::kTotalSstFilesSize, rocksdb::DB::Properties::kTotalBlobFileSize,
            rocksdb::DB::Properties::kCurSizeAllMemTables}) {
        uint64_t bytes = 0;
        if (!(*db)->GetIntProperty(handle, property, &bytes)) {
          return absl::UnavailableError(absl::StrCat("store ", path_, " does not tell ", property));
        }
        total += bytes;
      }
    }
    return static_cast<int64_t>(total);
  }

 private:
  std::shared_ptr<Database> Current() const ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    return db_;
  }
  void Use(std::shared_ptr<Database> db) ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    db_ = std::move(db);
  }
  absl::Status OpenReadOnly() ABSL_LOCKS_EXCLUDED(mu_) ABSL_EXCLUSIVE_LOCKS_REQUIRED(opening_mu_);
  absl::StatusOr<std::shared_ptr<Database>> Writable() ABSL_LOCKS_EXCLUDED(mu_, opening_mu_);
  void GiveUpWriting(std::shared_ptr<Database> db) ABSL_LOCKS_EXCLUDED(mu_, opening_mu_);

  const std::string path_;
  rocksdb::Env* const env_;
  const std::unique_ptr<rocksdb::Env> memory_;  // null: on disk
  mutable absl::Mutex mu_;
  std::shared_ptr<Database> db_ ABSL_GUARDED_BY(mu_);

  absl::Mutex opening_mu_ ABSL_ACQUIRED_BEFORE(mu_);
  std::unique_ptr<DirectoryLock> lock_ ABSL_GUARDED_BY(opening_mu_);  // while db_ is read only: RocksDB then takes none
  int64_t log_bytes_ ABSL_GUARDED_BY(opening_mu_) = 0;                // which opening for writing moves into tables
};

absl::Status RocksDbStore::Open() {
  if (memory_ != nullptr) {
    ASSIGN_OR_RETURN(std::shared_ptr<Database> db, Database::Open(path_, memory_.get(), Database::Mode::kInMemory));
    Use(std::move(db));
    return absl::OkStatus();
  }
  absl::MutexLock lock(&opening_mu_);
  RETURN_IF_ERROR(MakeDirs(path_));
  ASSIGN_OR_RETURN(lock_, DirectoryLock::Take(path_, env_));  // nobody writes while the files are looked at
  ASSIGN_OR_RETURN(const TornEnds torn, CheckDirectory(path_));
  for (const std::string& end : torn) spdlog::warn("store torn by a crash file=\"{}\"", end);
  absl::Status room = CheckRoom(path_, 0);
  if (room.ok()) {
    lock_.reset();
    absl::StatusOr<std::shared_ptr<Database>> db = Database::Open(path_, env_, Database::Mode::kReadWrite);
    if (db.ok()) {
      Use(*std::move(db));
      return absl::OkStatus();
    }
    if (!absl::IsResourceExhausted(db.status())) return db.status();
    room = db.status();
    ASSIGN_OR_RETURN(lock_, DirectoryLock::Take(path_, env_));
  }
  // What is there can be read without room. Of a store that is yet to be made nothing is there.
  if (IsNewStore(path_)) return room;
  spdlog::error("store can only be read error=\"{}\"", room.ToString());
  return OpenReadOnly();
}

absl::Status RocksDbStore::OpenReadOnly() {
  ASSIGN_OR_RETURN(std::shared_ptr<Database> db, Database::Open(path_, env_, Database::Mode::kReadOnly));
  ASSIGN_OR_RETURN(log_bytes_, LogBytes(path_));
  Use(std::move(db));
  return absl::OkStatus();
}

// RocksDB cannot go on with `db`: it is read only from here on, and opened anew by the next write.
void RocksDbStore::GiveUpWriting(std::shared_ptr<Database> db) {
  absl::MutexLock lock(&opening_mu_);
  if (Current() != db) return;
  const absl::Status opened = OpenReadOnly();
  spdlog::error("store can only be read until it is opened anew opened=\"{}\"", opened.ToString());
  if (!opened.ok()) return;
  db.reset();  // closed now, unless somebody still reads
  absl::StatusOr<std::unique_ptr<DirectoryLock>> lock_again = DirectoryLock::Take(path_, env_);
  if (lock_again.ok()) lock_ = *std::move(lock_again);
}

// The database, opened for writing if it could only be read so far and now has the room.
absl::StatusOr<std::shared_ptr<Database>> RocksDbStore::Writable() {
  std::shared_ptr<Database> db = Current();
  if (db->mode() != Database::Mode::kReadOnly) return db;
  absl::MutexLock lock(&opening_mu_);
  db = Current();
  if (db->mode() != Database::Mode::kReadOnly) return db;
  RETURN_IF_ERROR(CheckRoom(path_, log_bytes_));
  lock_.reset();
  absl::StatusOr<std::shared_ptr<Database>> opened = Database::Open(path_, env_, Database::Mode::kReadWrite);
  if (!opened.ok()) {
    absl::StatusOr<std::unique_ptr<DirectoryLock>> lock_again = DirectoryLock::Take(path_, env_);
    if (lock_again.ok()) lock_ = *std::move(lock_again);
    return opened.status();
  }
  spdlog::info("store can be written again");
  Use(*opened);
  return opened;
}

}  // namespace

absl::StatusOr<std::unique_ptr<KeyValueStore>> OpenRocksDbStore(const RocksDbOptions& options) {
  std::unique_ptr<rocksdb::Env> memory(options.in_memory ? rocksdb::NewMemEnv(rocksdb::Env::Default()) : nullptr);
  // The memory Env takes absolute paths only.
  const std::string path = options.in_memory ? JoinPath("/", options.path) : options.path;
  rocksdb::Env* const env = options.env == nullptr ? rocksdb::Env::Default() : options.env;
  auto store = std::make_unique<RocksDbStore>(path, env, std::move(memory));
  RETURN_IF_ERROR(store->Open());
  return std::unique_ptr<KeyValueStore>(std::move(store));
}

}  // namespace mimeo
