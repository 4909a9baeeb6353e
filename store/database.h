// A RocksDB directory that is open, with one column family for each Family. This is the part of the store that knows
// RocksDB's options, its schema version and its errors; store/rocksdb_store.h decides when to open and to write.
// Thread-safe.
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/write_batch.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "store/key_value_store.h"
#include "store/ledger.h"

namespace mimeo {

class Database {
 public:
  // The key of the schema version. It is in RocksDB's family "default", where the snapshots are too.
  static constexpr char kSchemaKey[] = "schema_version";

  // kReadWrite holds RocksDB's lock on the directory. kReadOnly changes nothing on the disk, needs no room there and
  // takes no lock, so its caller holds a DirectoryLock. kInMemory is for tests, where `env` is RocksDB's memory Env.
  enum class Mode { kReadWrite, kReadOnly, kInMemory };

  // Opens the directory; kReadWrite makes a store in an empty one. `env` must outlive the database. REQUIRES: for
  // kReadWrite and kReadOnly, CheckDirectory has found no damage, because RocksDB passes over some damage in silence.
  //
  // Unavailable: another process holds the directory, or the disk fails. FailedPrecondition: the store has a schema
  // version or families that this binary does not know. DataLoss: a file is damaged or missing. ResourceExhausted: the
  // disk is full.
  static absl::StatusOr<std::shared_ptr<Database>> Open(const std::string& path, rocksdb::Env* env, Mode mode);
  ~Database();

  // RocksDB itself, with its own statuses: ToStatus translates them.
  rocksdb::DB* operator->() const { return db_.get(); }
  rocksdb::ColumnFamilyHandle* Handle(Family family) const { return handles_[static_cast<int>(family)]; }
  const std::vector<rocksdb::ColumnFamilyHandle*>& handles() const { return handles_; }
  Mode mode() const { return mode_; }

  // Adds the newer schema version to a write that puts a snapshot of the journal. From then on earlier versions of this
  // software refuse the store: they would not look for the snapshot, and would take the journal for one that has lost
  // its beginning.
  rocksdb::Status AddSnapshotVersion(rocksdb::WriteBatch* writes) const;

 private:
  Database(std::string path, Mode mode) : path_(std::move(path)), mode_(mode) {}
  absl::Status OpenFiles(rocksdb::Env* env);
  absl::Status CheckSchema();

  const std::string path_;
  const Mode mode_;
  std::unique_ptr<Ledger> ledger_;     // of kReadWrite
  std::unique_ptr<rocksdb::Env> env_;  // notes in the ledger
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;  // by Family
};

// The options and the families with which every store is opened, by a coordinator and by a repair.
rocksdb::Options DatabaseOptions(rocksdb::Env* env);
std::vector<rocksdb::ColumnFamilyDescriptor> DatabaseFamilies(const rocksdb::Options& options);

// RocksDB's status of an operation on the store at `path`, as a status with the codes of KeyValueStore: NotFound,
// DataLoss for damage and for a file that is missing, ResourceExhausted for a full disk, and Unavailable for all else.
absl::Status ToStatus(const rocksdb::Status& status, const std::string& path);
// The same for a status of opening the store or of taking its lock. It also tells a lock that another process holds
// (Unavailable) and families of an unknown version (FailedPrecondition).
absl::Status ToOpenStatus(const rocksdb::Status& status, const std::string& path);

}  // namespace mimeo
