// RocksDB's lock on the directory of a store, which keeps a second coordinator away. RocksDB takes it itself when it
// opens the directory for writing. Whoever reads the files without that, such as a check or a repair, holds such an
// object. The lock is released when the object is destroyed, and by the kernel when the process ends.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace rocksdb {
class Env;
class FileLock;
}  // namespace rocksdb

namespace mimeo {

class DirectoryLock {
 public:
  // Never waits. `env` is null for the files of the machine. Unavailable: another process holds the lock, or this
  // process does; the error names the directory.
  static absl::StatusOr<std::unique_ptr<DirectoryLock>> Take(const std::string& path, rocksdb::Env* env = nullptr);
  ~DirectoryLock();

 private:
  DirectoryLock(rocksdb::Env* env, rocksdb::FileLock* lock) : env_(env), lock_(lock) {}
  rocksdb::Env* const env_;
  rocksdb::FileLock* const lock_;
};

}  // namespace mimeo
