// A splittable key for counter-based random numbers (Threefry2x64-20, Salmon et al., SC11, through Random123).
//
// Equal keys give equal numbers on every machine, rank and thread count; there is no generator state to save. A crop
// depends on (seed, "crop", epoch, sample, view) and on nothing else, so resuming, resharding and threads cannot
// change it. Value type.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"

namespace mimeo {

class RandomKey {
 public:
  explicit RandomKey(uint64_t seed);

  // The key of child `id`. Children of one key, numbered or named, never meet each other's numbers.
  RandomKey Fold(uint64_t id) const;
  RandomKey Fold(absl::string_view purpose) const;  // "crop", "mask", "init"

  uint64_t Bits(uint64_t counter) const;
  double Uniform(uint64_t counter) const;                // in [0, 1), 53 bits
  double Normal(uint64_t counter) const;                 // mean 0, variance 1 (Box-Muller)
  int64_t Below(int64_t bound, uint64_t counter) const;  // in [0, bound); bias below 2^-53 * bound
  std::vector<int64_t> Permutation(int64_t n) const;     // uniform over the permutations of [0, n)

  // A key on its way to another process: FromWords(key.words()) == key.
  static RandomKey FromWords(const std::array<uint64_t, 2>& words) { return RandomKey(words); }
  const std::array<uint64_t, 2>& words() const { return words_; }

  friend bool operator==(const RandomKey& a, const RandomKey& b) { return a.words_ == b.words_; }

 private:
  explicit RandomKey(const std::array<uint64_t, 2>& words) : words_(words) {}

  std::array<uint64_t, 2> words_;
};

}  // namespace mimeo
