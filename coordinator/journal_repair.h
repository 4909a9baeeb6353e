// Which entries of a damaged journal a coordinator can still start from. Pure functions.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/cluster_state.h"
#include "store/salvage.h"

namespace mimeo {

using CheckpointName = std::pair<std::string, int64_t>;  // job id, step

struct MendedJournal {
  struct SetAside {
    int64_t number = 0;
    bool in_snapshot = false;  // then `number` is that of a record of the snapshot
    std::string what;          // "checkpoint_committed of j3", or that it is no event
    std::string why;
    std::string bytes;  // empty: there are none
  };
  int64_t first = 0;                  // number of the first entry: that many are in the snapshot
  std::vector<std::string> snapshot;  // its records; empty where there is none
  std::vector<std::string> entries;   // to be numbered anew from `first`
  std::vector<SetAside> set_aside;
  std::vector<std::string> changes;  // entries that were added or changed, in words
  ClusterState state;                // after all entries
};

// Keeps what is an event, or a record of the snapshot, and does not contradict what was kept before it. A job whose
// submission is lost keeps its number and is cancelled, so that no other job gets it. The commits of `lost` checkpoints
// are set aside, and gangs that began from one of them begin from the checkpoint before.
MendedJournal MendJournal(const FoundJournal& found, const std::set<CheckpointName>& lost);

}  // namespace mimeo
