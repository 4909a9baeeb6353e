// KeyValueStore on one RocksDB directory: one writer, a column family per Family, BlobDB for chunks. Thread-safe.
#pragma once

#include <memory>
#include <string>

#include "store/key_value_store.h"

namespace mimeo {

struct RocksDbOptions {
  std::string path;
  bool in_memory = false;  // RocksDB's memory Env: tests
};

// Unavailable: another process holds the directory (names it). FailedPrecondition: a schema version this binary does
// not know (names both). DataLoss: corruption.
absl::StatusOr<std::unique_ptr<KeyValueStore>> OpenRocksDbStore(const RocksDbOptions& options);

}  // namespace mimeo
