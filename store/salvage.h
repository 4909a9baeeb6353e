// What can still be read of a damaged store.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "store/key_value_store.h"

namespace mimeo {

struct Salvage {
  std::unique_ptr<KeyValueStore> store;  // to be read only: its tables are those of the damaged one
  std::vector<std::string>
      losses;  // what is damaged, and which bytes of which file are lost. Empty: no file is damaged
};

// Opens the store in `dir`, whose files stay as they are, by links and copies in the new directory `scratch` on the
// same disk. Damaged parts of logs are left out; without a manifest the tables, the blobs and the logs are gathered one
// by one, and what had been deleted may be there again. DataLoss: nothing can be read. REQUIRES: no coordinator uses
// `dir`.
absl::StatusOr<Salvage> SalvageStore(const std::string& dir, const std::string& scratch);

// An entry of the journal, or why it cannot be read (NotFound: it is not there).
struct FoundEntry {
  int64_t number = 0;
  absl::StatusOr<std::string> bytes;
};
struct FoundJournal {
  int64_t first = 0;                 // of the entries; those before it are in a snapshot
  std::string snapshot_problem;      // why a coordinator would refuse the snapshot; empty: it would not
  std::vector<FoundEntry> snapshot;  // its records, numbered from 1: those that are found
  std::vector<FoundEntry> entries;   // from `first` to the last one that is there
};
FoundJournal ReadJournal(const KeyValueStore& store);

// Copies what begins with `prefix`. Where a part cannot be read it is left out, and the rest is found again; says in
// how many places.
absl::StatusOr<int64_t> CopyReadable(const KeyValueStore& from, Family family, const std::string& prefix,
                                     KeyValueStore* to);

}  // namespace mimeo
