// The ledger of a store says how much of its logs and manifests is safely on disk. It is the file SYNCED beside them.
//
// RocksDB cannot tell a log whose end was never written from a log whose end was lost later, because both are just
// shorter. The ledger can: after each sync of a file it notes how long the file then was, and before a file is deleted
// it notes that. The file SYNCED holds two copies, which are written in turns, so that one of them is whole whenever
// the machine stops. Not every note is synced: after a loss of power the ledger may say less than what is on disk, but
// never more. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"

namespace rocksdb {
class Env;
}

namespace mimeo {

class Ledger {
 public:
  static constexpr char kFileName[] = "SYNCED";
  // Bytes by file name, such as "000012.log".
  using Lengths = std::map<std::string, int64_t>;

  // What the ledger in `dir` says. NotFound: there is none, or neither of its copies can be read; the message says
  // which.
  static absl::StatusOr<Lengths> Read(const std::string& dir);

  // Opens the ledger of `dir` for writing, which then says `lengths`. ResourceExhausted: the disk is full.
  static absl::StatusOr<std::unique_ptr<Ledger>> Create(const std::string& dir, Lengths lengths);
  ~Ledger();

  // `length` bytes of `file` are on disk. A note that cannot be written is only less than what is true, so it is no
  // error.
  void Note(const std::string& file, int64_t length) ABSL_LOCKS_EXCLUDED(mu_);
  // `file` is going to be deleted. After OK the ledger does not miss it, not even after a loss of power. After an error
  // the file must stay.
  absl::Status Forget(const std::string& file) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  Ledger(int fd, std::string path, Lengths lengths) : fd_(fd), path_(std::move(path)), lengths_(std::move(lengths)) {}
  absl::Status WriteCopy() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const int fd_;
  const std::string path_;
  absl::Mutex mu_;
  Lengths lengths_ ABSL_GUARDED_BY(mu_);
  int64_t written_ ABSL_GUARDED_BY(mu_) = 0;  // copies so far
};

// RocksDB's view of the file system: that of `base`, and every sync and deletion of a log or manifest is noted in
// `ledger`. Both must outlive it. Where a write to such a file fails half way, as on a full disk, the next write takes
// the place of the half that was written and does not follow it.
std::unique_ptr<rocksdb::Env> NewLedgerEnv(rocksdb::Env* base, Ledger* ledger);

}  // namespace mimeo
