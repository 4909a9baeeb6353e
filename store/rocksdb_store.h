// KeyValueStore on one RocksDB directory: one writer, a column family per Family, BlobDB for chunks. Thread-safe.
//
// A buffered write is in the operating system's hands when it returns; a synced write also syncs every earlier one (they
// share a log). After a full disk, writes succeed again within seconds of there being
// room.
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
  bool in_memory = false;         // RocksDB's memory Env: tests
  rocksdb::Env* env = nullptr;    // the machine's files when null; another Env, which outlives the store: faulty disks in tests
};

// Unavailable: another process holds the directory (names it). FailedPrecondition: a schema version this binary does
// not know (names both). DataLoss: corruption.
absl::StatusOr<std::unique_ptr<KeyValueStore>> OpenRocksDbStore(const RocksDbOptions& options);

}  // namespace mimeo
