// The KeyValueStore of a coordinator: one directory of RocksDB, which one process at a time may open. Chunks are in
// RocksDB's blob files. Thread-safe.
//
// A buffered write is with the operating system when it returns. All families share one log, so a synced write also
// syncs every earlier write. While the disk is full, reads go on, also in a store that is opened then, and each write
// returns ResourceExhausted with the number of bytes that are free and needed. A reserve is kept: a write that removes
// something may use most of it. The first write after there is room again succeeds, without a restart.
//
// When a directory does not hold everything that was synced, it is refused with the names of the files, and left as it
// is. Only what a crash cut off before anybody was told of it is dropped, with a warning in the log.
#pragma once

#include <memory>
#include <string>

#include "store/key_value_store.h"

namespace rocksdb {
class Env;
}

namespace mimeo {

struct RocksDbOptions {
  std::string path;
  bool in_memory = false;  // for tests: nothing is on disk
  // Null means the files of the machine. Tests give one that fails like a faulty disk; it must outlive the store.
  rocksdb::Env* env = nullptr;
};

// Opens the store in `options.path`, and makes it where the directory is empty or not there. It reads the whole of the
// logs, which have about limits::kStoreLogBytes at most.
//
// Unavailable: another process holds the directory, or the disk fails. FailedPrecondition: a schema version that this
// binary does not know; install a newer one. DataLoss: damage; a person runs `coordinator --repair`. ResourceExhausted:
// the store is new and the disk is full. Every error names the directory or the files.
absl::StatusOr<std::unique_ptr<KeyValueStore>> OpenRocksDbStore(const RocksDbOptions& options);

}  // namespace mimeo
