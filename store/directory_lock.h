// RocksDB's lock on a store's directory, which it takes itself when it opens it for writing. Held while the object
// lives.
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
  // `env`: the machine's files when null. Unavailable: a coordinator holds the directory (names it).
  static absl::StatusOr<std::unique_ptr<DirectoryLock>> Take(const std::string& path, rocksdb::Env* env = nullptr);
  ~DirectoryLock();

 private:
  DirectoryLock(rocksdb::Env* env, rocksdb::FileLock* lock) : env_(env), lock_(lock) {}
  rocksdb::Env* const env_;
  rocksdb::FileLock* const lock_;
};

}  // namespace mimeo
