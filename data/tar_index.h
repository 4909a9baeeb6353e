// Finds where the members of a tar lie, so that to read one later is a single pread. It reads the file and keeps
// nothing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/progress.h"
#include "data/passed_over.h"
#include "data/sample_file.h"

namespace mimeo {

struct TarMember {
  std::string name;    // as the archive spells it; "../x" and "/x" are only text
  int64_t offset = 0;  // of its bytes in the file
  int64_t size = 0;
  std::string contents;  // of label members of at most kLabelBytes; else empty
};

constexpr int64_t kLabelBytes = 64 << 10;  // a longer label member is not read

// Whether a member says the label of images: .cls or .json, in any case.
bool IsLabelName(absl::string_view member);

// Lists the regular files of an uncompressed tar in the order of the archive. Hidden members (data/passed_over.h),
// links of both kinds, sparse files, pipes and devices are passed over and counted in `passed_over`. It moves the
// file's own position, so one thread at a time may index a file. `progress`, where it is not null, counts the members.
//
// InvalidArgument: the file is no uncompressed tar, or it is damaged or truncated (the message names the last good
// member). Unavailable: the disk or the mount fails now.
absl::StatusOr<std::vector<TarMember>> IndexTar(const SampleFile& file, PassedOverTally* passed_over,
                                                Progress* progress);

}  // namespace mimeo
