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
    std::string what;  // "checkpoint_committed of j3", or that it is no event
    std::string why;
    std::string bytes;  // empty: there are none
  };
  std::vector<std::string> entries;  // to be numbered anew from 0
  std::vector<SetAside> set_aside;
  std::vector<std::string> changes;  // entries that were added or changed, in words
  ClusterState state;                // after all entries
};

// Keeps what is an event and does not contradict what was kept before it. A job whose submission is lost keeps its
// number and is cancelled, so that no other job gets it. The commits of `lost` checkpoints are set aside, and gangs
// that began from one of them begin from the checkpoint before.
MendedJournal MendJournal(const std::vector<FoundEntry>& entries, const std::set<CheckpointName>& lost);

}  // namespace mimeo
