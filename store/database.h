// One RocksDB directory, opened: a column family per Family, and what RocksDB says in this product's words.
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
  // In RocksDB's "default" family, beside the snapshots.
  static constexpr char kSchemaKey[] = "schema_version";

  // kReadOnly changes nothing on the disk, and takes no room and no lock. kInMemory: `env` is RocksDB's memory Env.
  enum class Mode { kReadWrite, kReadOnly, kInMemory };

  // REQUIRES: for kReadWrite and kReadOnly, CheckDirectory found no damage. Unavailable: another process holds the
  // directory. FailedPrecondition: another schema version. DataLoss: damage. ResourceExhausted: the disk is full.
  static absl::StatusOr<std::shared_ptr<Database>> Open(const std::string& path, rocksdb::Env* env, Mode mode);
  ~Database();

  rocksdb::DB* operator->() const { return db_.get(); }
  rocksdb::ColumnFamilyHandle* Handle(Family family) const { return handles_[static_cast<int>(family)]; }
  const std::vector<rocksdb::ColumnFamilyHandle*>& handles() const { return handles_; }
  Mode mode() const { return mode_; }

  // Adds to a write that puts a snapshot what keeps versions away that would not look for it.
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

// RocksDB's options and families, as every opening of a store takes them.
rocksdb::Options DatabaseOptions(rocksdb::Env* env);
std::vector<rocksdb::ColumnFamilyDescriptor> DatabaseFamilies(const rocksdb::Options& options);

// RocksDB's status for an operation on the store at `path`.
absl::Status ToStatus(const rocksdb::Status& status, const std::string& path);
// The same of opening it or taking its lock.
absl::Status ToOpenStatus(const rocksdb::Status& status, const std::string& path);

}  // namespace mimeo
