#include "data/epoch_order.h"

#include <numeric>

#include "base/random_key.h"

namespace mimeo {

std::vector<int64_t> EpochOrder(uint64_t seed, int64_t epoch, int64_t size) {
  return RandomKey(seed).Fold("order").Fold(static_cast<uint64_t>(epoch)).Permutation(size);
}

int64_t ReplacementPosition(int64_t position, int64_t attempt, int64_t global_batch, int64_t size) {
  // Strides of global_batch close a cycle after size / gcd steps; one step aside then enters the next of the gcd
  // cycles.
  const int64_t cycle = size / std::gcd(global_batch, size);
  return (position + (attempt % cycle) * (global_batch % size) % size + attempt / cycle) % size;
}

}  // namespace mimeo
