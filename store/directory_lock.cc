#include "store/directory_lock.h"

#include <rocksdb/env.h>

#include "base/file.h"
#include "store/database.h"

namespace mimeo {

absl::StatusOr<std::unique_ptr<DirectoryLock>> DirectoryLock::Take(const std::string& path, rocksdb::Env* env) {
  if (env == nullptr) env = rocksdb::Env::Default();
  rocksdb::FileLock* lock = nullptr;
  const rocksdb::Status status = env->LockFile(JoinPath(path, "LOCK"), &lock);
  if (!status.ok()) return ToOpenStatus(status, path);
  return std::unique_ptr<DirectoryLock>(new DirectoryLock(env, lock));
}

DirectoryLock::~DirectoryLock() { env_->UnlockFile(lock_).PermitUncheckedError(); }

}  // namespace mimeo
