// Where the members of a tar lie, so that reading one is a pread. Pure but for the file it reads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace mimeo {

struct TarMember {
  std::string name;      // as the archive spells it; "../x" and "/x" are only text
  int64_t offset = 0;    // of its bytes in the file
  int64_t size = 0;
  std::string contents;  // of label members (.cls, .json), which are small; else empty
};

// Regular files in archive order. InvalidArgument: not an uncompressed tar, damaged or truncated (names the last good
// member), or a label member over 64 KiB.
absl::StatusOr<std::vector<TarMember>> IndexTar(const std::string& path);

}  // namespace mimeo
