// Reads what can still be read of a damaged store, for `coordinator --repair`. The damaged files are never changed. One
// thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "store/key_value_store.h"

namespace mimeo {

struct Salvage {
  // What was found. It shares files with the damaged store, so the caller must only read it. It lives in the directory
  // `scratch`, which must outlive it.
  std::unique_ptr<KeyValueStore> store;
  // What is damaged, and which bytes of which file are lost, one line for each. Empty when no file is damaged.
  std::vector<std::string> losses;
};

// Makes the directory `scratch` anew, puts links to files of `dir` and copies of others there, and opens that as a
// store. `scratch` should be on the disk of `dir`: elsewhere links become copies. Damaged parts of logs are left out.
// Where the manifest is lost, the tables, the blobs and the logs are gathered one by one, and then something that had
// been deleted may be there again. An error means that nothing can be read, and says why. REQUIRES: the caller holds
// the DirectoryLock of `dir`.
absl::StatusOr<Salvage> SalvageStore(const std::string& dir, const std::string& scratch);

// An entry of the journal, or why it cannot be read. NotFound: it is not there.
struct FoundEntry {
  int64_t number = 0;
  absl::StatusOr<std::string> bytes;
};
// All that is found of a journal.
struct FoundJournal {
  // The number of the first entry. Those before it are in a snapshot.
  int64_t first = 0;
  // Why a coordinator would refuse the snapshot. Empty: it would not, or there is none and none is missing.
  std::string snapshot_problem;
  // The records of the snapshot that are found, numbered from 1.
  std::vector<FoundEntry> snapshot;
  // All entries from `first` to the last one that is there. One that is missing is here too, with its error.
  std::vector<FoundEntry> entries;
};
FoundJournal ReadJournal(const KeyValueStore& store);

// Copies all keys of `family` that begin with `prefix`. What cannot be read is left out. Returns in how many places
// that was so: 0 means that everything was copied. An error is one of writing to `to`.
absl::StatusOr<int64_t> CopyReadable(const KeyValueStore& from, Family family, const std::string& prefix,
                                     KeyValueStore* to);

}  // namespace mimeo
