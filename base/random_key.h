// A key from which random numbers and further keys are computed (Threefry2x64 with 20 rounds: Salmon et al., "Parallel
// Random Numbers: As Easy as 1, 2, 3", SC11; the code is Random123's). All randomness of the system comes from here.
//
// Number n of a key is a pure function of the key and n. There is no generator with a state, so nothing must be saved
// to resume, and equal keys give equal numbers on every machine, in every rank and with any number of threads. A crop,
// for example, depends on (seed, "crop", epoch, sample, view) and on nothing else. Value type; thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"

namespace mimeo {

class RandomKey {
 public:
  explicit RandomKey(uint64_t seed);

  // The key of a child of this one: one numbered child for each `id`, one named child for each purpose ("crop", "mask",
  // "init"). A key's own numbers, its numbered and its named children are independent of each other. Two different
  // names give different children unless their 64-bit FNV-1a hashes are equal.
  RandomKey Fold(uint64_t id) const;
  RandomKey Fold(absl::string_view purpose) const;

  // Number `counter` of this key, as 64 random bits or in one of the distributions below. Each of them reads the same
  // bits, so one key and one counter serve one purpose only.
  uint64_t Bits(uint64_t counter) const;
  double Uniform(uint64_t counter) const;                // in [0, 1), 53 bits
  double Normal(uint64_t counter) const;                 // mean 0, variance 1 (Box-Muller)
  int64_t Below(int64_t bound, uint64_t counter) const;  // in [0, bound); bias below 2^-53 * bound
  std::vector<int64_t> Permutation(int64_t n) const;     // uniform over the permutations of [0, n)

  // For a key that travels to another process: FromWords(key.words()) == key.
  static RandomKey FromWords(const std::array<uint64_t, 2>& words) { return RandomKey(words); }
  const std::array<uint64_t, 2>& words() const { return words_; }

  friend bool operator==(const RandomKey& a, const RandomKey& b) { return a.words_ == b.words_; }

 private:
  explicit RandomKey(const std::array<uint64_t, 2>& words) : words_(words) {}

  std::array<uint64_t, 2> words_;
};

}  // namespace mimeo
