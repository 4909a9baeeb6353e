// The order in which an epoch visits its samples. Both functions are pure: every rank computes the same order from the
// seed alone, and nothing about it has to be sent or stored.
#pragma once

#include <cstdint>
#include <vector>

namespace mimeo {

// The sample ids of one epoch in training order: a permutation of [0, size), drawn from the key (seed, "order", epoch).
std::vector<int64_t> EpochOrder(uint64_t seed, int64_t epoch, int64_t size);

// The place in an epoch's order at which a row of the global batch looks for its `attempt`-th sample. Attempt 0 is
// `position` itself. After a bad sample, the next attempt takes the same row of the next global batch, and wraps around
// at the end of the epoch.
//
// Over `size` attempts every position is visited once, so a replacement is found if any sample is good. Two rows of one
// batch never look at the same place in the same attempt.
int64_t ReplacementPosition(int64_t position, int64_t attempt, int64_t global_batch, int64_t size);

}  // namespace mimeo
