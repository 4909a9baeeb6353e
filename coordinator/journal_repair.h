// Makes of a damaged journal one from which a coordinator can start, and says what that costs. Only `coordinator
// --repair` uses it. Pure functions.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/cluster_state.h"
#include "store/salvage.h"

namespace mimeo {

// Names a checkpoint: the job's id and the step.
using CheckpointKey = std::pair<std::string, int64_t>;

struct MendedJournal {
  // An entry that the new journal does not have.
  struct SetAside {
    int64_t number = 0;
    bool in_snapshot = false;  // then `number` is that of a record of the snapshot
    std::string what;          // such as "checkpoint_committed of j3", or that it is no event
    std::string why;
    std::string bytes;  // empty where nothing could be read
  };
  // The number of the first entry. So many entries are in the snapshot.
  int64_t first = 0;
  std::vector<std::string> snapshot;  // its records; empty when there is none
  std::vector<std::string> entries;   // the caller numbers them anew from `first`
  std::vector<SetAside> set_aside;
  std::vector<std::string> changes;  // what was added or changed, one line for each, for a person
  ClusterState state;                // after all entries
};

// Keeps every record of the snapshot and every entry that can be read and does not contradict what was kept before it.
// A job whose submission is lost keeps its number and is listed as cancelled, so that no other job gets that number.
// `lost` are the checkpoints whose bytes cannot be read: their commits are set aside, and a gang that started from one
// of them starts from the checkpoint before it.
MendedJournal MendJournal(const FoundJournal& found, const std::set<CheckpointKey>& lost);

}  // namespace mimeo
