// KeyValueStore on one RocksDB directory: one writer, a column family per Family, BlobDB for chunks. Thread-safe.
//
// A buffered write is in the operating system's hands when it returns; a synced write also syncs every earlier one
// (they share a log). While the disk is full, reads go on (also in a store that is opened then) and writes are
// ResourceExhausted with the bytes that are free and needed; the first write after there is room succeeds.
//
// A directory that does not hold everything that was synced is refused by the names of its files, and left as it is.
// Only what a crash cut off before anybody was told of it is dropped.
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
  bool in_memory = false;  // RocksDB's memory Env: tests
  // The machine's files when null; another Env, which outlives the store: faulty disks in tests.
  rocksdb::Env* env = nullptr;
};

// Unavailable: another process holds the directory (names it). FailedPrecondition: a schema version this binary does
// not know (names both). DataLoss: damage (names the files). ResourceExhausted: a new store, and the disk is full.
absl::StatusOr<std::unique_ptr<KeyValueStore>> OpenRocksDbStore(const RocksDbOptions& options);

}  // namespace mimeo
