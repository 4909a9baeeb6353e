// What is wished of a teacher (FeatureWish in proto/teacher.proto), as a key: the server puts requests with equal keys
// into one forward pass, a job merges objectives whose wishes have equal keys, and whatever keeps features finds them
// by it. A value.
#pragma once

#include <string>
#include <utility>

#include "proto/teacher.pb.h"

namespace mimeo {

// L: of the grid that features are wished at. REQUIRES: rows * cols is an int, as SizeOf takes it.
inline int NumPatches(const FeatureWish& wish) { return wish.rows() * wish.cols(); }

class WishKey {
 public:
  explicit WishKey(const FeatureWish& wish);

  // Two wishes have equal bytes exactly when every field is equal. They are the same in each process of one protocol
  // version; fields that this version does not know are no part of them.
  const std::string& bytes() const { return bytes_; }

  friend bool operator==(const WishKey& a, const WishKey& b) { return a.bytes_ == b.bytes_; }
  friend bool operator!=(const WishKey& a, const WishKey& b) { return !(a == b); }
  template <typename H>
  friend H AbslHashValue(H state, const WishKey& key) {
    return H::combine(std::move(state), key.bytes_);
  }

 private:
  std::string bytes_;
};

}  // namespace mimeo
