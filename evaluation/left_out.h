// Images that take no part in a measurement. Thread-safe; no torch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "data/dataset.h"

namespace mimeo {

// An image without features, and why: broken, too large, gone, or libtorch would not have it.
struct LeftOut {
  int64_t sample = 0;
  std::string reason;
};

// Whether a status is about one image, which is left out, and not about the data set or the machine.
bool IsBadImage(const absl::Status& status);

// Says on the log which images were left out, a line each: the first twenty, then how many more.
void LogLeftOut(const Dataset& dataset, const std::vector<LeftOut>& left_out);

// InvalidArgument, "none of its 3 images can be decoded; the first: NAME: REASON": for a set all of whose images are
// left out.
absl::Status NoneDecodes(const Dataset& dataset, const std::vector<LeftOut>& left_out);

}  // namespace mimeo
