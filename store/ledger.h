// What of a store's logs and manifests is known to be on disk: the file SYNCED beside them. Thread-safe.
//
// RocksDB cannot tell a log whose end was never written from one whose end was lost: both are shorter. The ledger can:
// after each sync it notes how long the file then was, and before a file is deleted that it is gone. It holds two
// copies of itself, written in turns, so that one of them is whole whenever the machine stops. It is itself not synced
// at each note: after a loss of power it may say less than was on disk, never more.
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

  // What the ledger in `dir` says. NotFound: there is none, or neither copy can be read (the message says which).
  static absl::StatusOr<Lengths> Read(const std::string& dir);

  // Begins with `lengths`. ResourceExhausted: the disk is full.
  static absl::StatusOr<std::unique_ptr<Ledger>> Create(const std::string& dir, Lengths lengths);
  ~Ledger();

  void Note(const std::string& file, int64_t length) ABSL_LOCKS_EXCLUDED(mu_);
  // OK: it will not be missed, not even after a loss of power.
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

// `base`, but that the logs and manifests of RocksDB are noted in `ledger`. Both outlive it. A write to one of them
// that fails half way is written over by the next, not behind.
std::unique_ptr<rocksdb::Env> NewLedgerEnv(rocksdb::Env* base, Ledger* ledger);

}  // namespace mimeo
