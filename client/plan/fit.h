// Whether a job fits into the memory of a place, and what would make it fit. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "client/plan/place.h"
#include "job/cost.h"
#include "proto/job.pb.h"

namespace mimeo {

// On a CPU the ranks share one memory, and one of them writes checkpoints.
bool SharesMemory(const Place& place);

// What `ranks` ranks take of Place::memory_bytes together, where the steps of one take `steps_bytes`.
int64_t AllRanksBytes(const Place& place, int ranks, const RankMemory& memory, int64_t steps_bytes);

struct Remedies {
  // Each of them alone makes the job fit: flags of the command line, and behind them in parentheses what they cost.
  // Memory that is shared changes from second to second, so a twentieth of it is left free.
  std::vector<std::string> proposals;
  // Where there is none: one sentence that says so, and what the job needs at the very least. Else empty.
  std::string none;
};

// For a resolved job that does not fit. `images`: that it trains on; 0: not known. `scale`: by how much a measurement
// showed more activations than are estimated. A proposal holds for any number of steps, so that every verb makes the
// same, and for the recipe as it was written as well as for the resolved one.
Remedies WhatWouldFit(const JobSpec& spec, const Place& place, int64_t images, double scale);

// The flags that make the job one of `ranks` ranks that fits; empty: none do.
std::string FlagsForRanks(const JobSpec& spec, const Place& place, int64_t images, int ranks);

}  // namespace mimeo
