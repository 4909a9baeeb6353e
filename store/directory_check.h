// Whether the directory of a store still holds everything that was safely on its disk. This is asked before RocksDB
// opens the store, because RocksDB passes over some damage in silence and begins to delete files at once. Nothing here
// writes. Free functions without state.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "store/ledger.h"

namespace mimeo {

// What a crash cut off the ends of files. Nobody had been told that these bytes were stored, so nothing is lost that
// anybody relies on. One line for each file: "000012.log: the last record is cut off; 77 bytes behind byte 4096 are
// dropped".
using TornEnds = std::vector<std::string>;

// Reads the manifest and all logs of the store. A directory that is empty or is not there is a new store, and OK.
// DataLoss: a file is missing or damaged. The error names each such file, what is wrong with it and where; a person
// then runs `coordinator --repair`. Tables and blobs are not read here: RocksDB checks them when it opens and reads
// them. REQUIRES: nobody writes to the store meanwhile, so the caller holds its DirectoryLock.
absl::StatusOr<TornEnds> CheckDirectory(const std::string& dir);

// The names of the files in `dir`, sorted. Unavailable: the directory cannot be read, or is not there.
absl::StatusOr<std::vector<std::string>> ListFiles(const std::string& dir);

// What the ledger of `dir` says (store/ledger.h). NotFound: there is no ledger that can be read, or it does not know
// `manifest`, the current one. Then another program, such as an earlier version, has written to the store since, and
// what the ledger says does not hold any more.
absl::StatusOr<Ledger::Lengths> LedgerOf(const std::string& dir, const std::string& manifest);

// The manifest that CURRENT names. NotFound: there is no CURRENT. DataLoss: it names none.
absl::StatusOr<std::string> CurrentManifest(const std::string& dir);

// Whether nothing was ever written there: the directory is empty, or a crash cut off the making of the store.
bool IsNewStore(const std::string& dir);
// The bytes of all logs together: to open the store for writing takes about as much room for tables.
absl::StatusOr<int64_t> LogBytes(const std::string& dir);

bool IsLog(const std::string& file);

}  // namespace mimeo
