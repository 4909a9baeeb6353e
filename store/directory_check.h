// Is what a store's directory holds everything that it held? Asked before RocksDB opens it, because RocksDB passes over
// some damage in silence and begins to tidy up at once. Reads only. Free functions without state.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "store/ledger.h"

namespace mimeo {

// What a crash cut off, which nobody had been told of: "000012.log: the last record is cut off; 77 bytes behind byte
// 4096 are dropped".
using TornEnds = std::vector<std::string>;

// Of an empty or absent store: none. DataLoss: a file is missing or damaged; names each one, what is wrong with it and
// where. Tables and blobs are RocksDB's to check when they are opened and read.
absl::StatusOr<TornEnds> CheckDirectory(const std::string& dir);

// The names of the files in `dir`, sorted.
absl::StatusOr<std::vector<std::string>> ListFiles(const std::string& dir);

// What the ledger of `dir` says. NotFound: there is none, or it does not know the current manifest: then another
// program, such as an earlier version, has had the store since, and what the ledger says is not so any more.
absl::StatusOr<Ledger::Lengths> LedgerOf(const std::string& dir, const std::string& manifest);

// The manifest that CURRENT names. NotFound: there is no CURRENT. DataLoss: it names none.
absl::StatusOr<std::string> CurrentManifest(const std::string& dir);

// Nothing was ever written there: it is empty, or its making was cut off.
bool IsNewStore(const std::string& dir);
// Bytes of the logs together.
absl::StatusOr<int64_t> LogBytes(const std::string& dir);

bool IsLog(const std::string& file);

}  // namespace mimeo
