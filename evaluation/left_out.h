// Images that take no part in a measurement. Any thread may call this; no torch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "data/dataset.h"
#include "proto/data.pb.h"

namespace mimeo {

// An image without features, and the reason: it is broken, too large or gone, or libtorch threw.
struct LeftOut {
  int64_t sample = 0;
  std::string reason;
};

// Whether a status is about one image, which is then left out, or about the data set or the machine (false).
bool IsBadImage(const absl::Status& status);

// Logs which images were left out, a line each: the first twenty, and then how many more there are.
void LogLeftOut(const Dataset& dataset, const std::vector<LeftOut>& left_out);

// The same for a report: how many there are, and of the first twenty "NAME: REASON" as text.
PassedOver Undecodable(const Dataset& dataset, const std::vector<LeftOut>& left_out);

// InvalidArgument, for a set all of whose images are left out: "none of its 3 images can be decoded; the first: NAME:
// REASON".
absl::Status NoneDecodes(const Dataset& dataset, const std::vector<LeftOut>& left_out);

}  // namespace mimeo
