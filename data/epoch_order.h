// The order in which an epoch visits its samples. Pure.
#pragma once

#include <cstdint>
#include <vector>

namespace mimeo {

// The sample ids of one epoch in training order: a permutation of [0, size) by key(seed, "order", epoch).
std::vector<int64_t> EpochOrder(uint64_t seed, int64_t epoch, int64_t size);

// Where in an epoch's order a slot of the global batch looks for its `attempt`-th sample: attempt 0 is `position`
// itself, and each one after a bad sample takes the same slot of the next global batch, wrapping around. Over `size`
// attempts every position is visited once, so a replacement is found if any sample is good; and two slots of one batch
// never take the same replacement.
int64_t ReplacementPosition(int64_t position, int64_t attempt, int64_t global_batch, int64_t size);

}  // namespace mimeo
