// Where the members of a tar lie, so that reading one is a pread. Pure but for the file it reads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/progress.h"
#include "data/sample_file.h"

namespace mimeo {

struct TarMember {
  std::string name;    // as the archive spells it; "../x" and "/x" are only text
  int64_t offset = 0;  // of its bytes in the file
  int64_t size = 0;
  std::string contents;  // of label members (.cls, .json), which are small; else empty
};

// Regular files in archive order. InvalidArgument: not an uncompressed tar, damaged or truncated (names the last good
// member), or a label member over 64 KiB. Unavailable: an error of the disk or the mount. Moves the file's own
// position. `progress`, where not null, counts the members.
absl::StatusOr<std::vector<TarMember>> IndexTar(const SampleFile& file, Progress* progress);

}  // namespace mimeo
