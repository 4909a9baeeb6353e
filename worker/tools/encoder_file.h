// An encoder's weights as a person names them. One thread.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "model/weights.h"

namespace mimeo {

// LoadEncoder, which says on the log what it read and assumed, a line each.
absl::StatusOr<LoadedEncoder> OpenEncoder(const std::string& path, const LoadOptions& options = {});

}  // namespace mimeo
