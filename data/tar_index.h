// Where the members of a tar lie. With this index a sample of a tar is read like one of a file of its own, by its
// offset and size, in any order. Nothing is remembered between calls.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/progress.h"
#include "data/sample_file.h"

namespace mimeo {

struct TarMember {
  // As the archive spells it. Nothing is ever written under this name, so "../x" and "/x" are only text.
  std::string name;
  int64_t offset = 0;  // where its bytes begin in the file
  int64_t size = 0;    // in bytes
  // The bytes of a member that holds a label (.cls, .json), which is small. Empty for all others.
  std::string contents;
};

// The regular files of a tar, in its order. It reads all headers and passes over the bytes between them, which may take
// long for a large tar on a file server: `progress`, if it is not null, counts each member.
//
// InvalidArgument: the file is not an uncompressed tar, or it is damaged or cut short (the error names the last good
// member), or a member that holds a label has more than 64 KiB. Unavailable: the disk or the mount fails now. The call
// moves the position of the file descriptor, so it must not run twice at one time on one file.
absl::StatusOr<std::vector<TarMember>> IndexTar(const SampleFile& file, Progress* progress);

}  // namespace mimeo
