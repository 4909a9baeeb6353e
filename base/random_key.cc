#include "base/random_key.h"

#include <Random123/threefry.h>

#include <cmath>
#include <numeric>
#include <utility>

namespace mimeo {
namespace {

// The second counter word separates uses of one key: numbers, numbered children, named children.
enum Domain : uint64_t { kNumbers = 0, kNumberedChild = 1, kNamedChild = 2, kSeed = 3 };

std::array<uint64_t, 2> Threefry(const std::array<uint64_t, 2>& key, uint64_t counter, uint64_t domain) {
  const threefry2x64_ctr_t in = {{counter, domain}};
  const threefry2x64_key_t secret = {{key[0], key[1]}};
  const threefry2x64_ctr_t out = threefry2x64(in, secret);
  return {out.v[0], out.v[1]};
}

// FNV-1a: stable across machines and releases, which std::hash and absl::Hash are not.
uint64_t Fnv1a(absl::string_view text) {
  uint64_t hash = 14695981039346656037ull;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return hash;
}

}  // namespace

RandomKey::RandomKey(uint64_t seed) : words_(Threefry({0, 0}, seed, kSeed)) {}

RandomKey RandomKey::Fold(uint64_t id) const { return RandomKey(Threefry(words_, id, kNumberedChild)); }

RandomKey RandomKey::Fold(absl::string_view purpose) const {
  return RandomKey(Threefry(words_, Fnv1a(purpose), kNamedChild));
}

uint64_t RandomKey::Bits(uint64_t counter) const { return Threefry(words_, counter, kNumbers)[0]; }

double RandomKey::Uniform(uint64_t counter) const { return static_cast<double>(Bits(counter) >> 11) * 0x1.0p-53; }

double RandomKey::Normal(uint64_t counter) const {
  const std::array<uint64_t, 2> words = Threefry(words_, counter, kNumbers);
  const double u = (static_cast<double>(words[0] >> 11) + 1) * 0x1.0p-53;  // in (0, 1]: its log is finite
  const double v = static_cast<double>(words[1] >> 11) * 0x1.0p-53;
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * M_PI * v);
}

int64_t RandomKey::Below(int64_t bound, uint64_t counter) const {
  return static_cast<int64_t>((static_cast<unsigned __int128>(Bits(counter)) * static_cast<uint64_t>(bound)) >> 64);
}

std::vector<int64_t> RandomKey::Permutation(int64_t n) const {
  std::vector<int64_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  for (int64_t i = n - 1; i > 0; --i) std::swap(order[i], order[Below(i + 1, i)]);
  return order;
}

}  // namespace mimeo
