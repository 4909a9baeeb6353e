// Finds where the members of a tar lie, so that to read one later is a single pread. It reads the file and keeps
// nothing.
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

// Lists the regular files of an uncompressed tar in the order of the archive. Hard links and sparse files are passed
// over. It moves the file's own position, so one thread at a time may index a file. `progress`, where it is not null,
// counts the members.
//
// InvalidArgument: the file is no uncompressed tar, it is damaged or truncated (the message names the last good
// member), or a label member is larger than 64 KiB. Unavailable: the disk or the mount fails now.
absl::StatusOr<std::vector<TarMember>> IndexTar(const SampleFile& file, Progress* progress);

}  // namespace mimeo
