// The key of what is wished of a teacher (FeatureWish in proto/teacher.proto). The server puts requests with equal keys
// into one forward pass, and a job merges objectives whose wishes have equal keys. Whatever keeps features would find
// them by it. It is a value.
#pragma once

#include <string>
#include <utility>

#include "proto/teacher.pb.h"

namespace mimeo {

// L, the number of patches of the grid at which features are wished. REQUIRES: rows * cols is an int, which SizeOf sees
// to.
inline int NumPatches(const FeatureWish& wish) { return wish.rows() * wish.cols(); }

class WishKey {
 public:
  explicit WishKey(const FeatureWish& wish);

  // Two wishes have equal bytes exactly when every field is equal. The bytes are the same in each process of one
  // protocol version. Fields that this version does not know are not part of them.
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
