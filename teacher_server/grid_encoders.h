// One frozen encoder at its own grid of patches and, with its positions interpolated, at the other grids that jobs ask
// for: they are made on first use, and of more than limits::kTeacherGrids of them the one that was unused for longest
// goes. One thread.
#pragma once

#include <functional>
#include <list>

#include "absl/status/statusor.h"
#include "model/weights.h"

namespace mimeo {

class GridEncoders {
 public:
  // Reads the same weights for images of another size: LoadEncoder of one path.
  using Loader = std::function<absl::StatusOr<LoadedEncoder>(const LoadOptions& options)>;

  GridEncoders(LoadedEncoder own, Loader load) : own_(std::move(own)), load_(std::move(load)) {}

  const LoadedEncoder& own() const { return own_; }
  // Valid until the next call. FailedPrecondition: the weights cannot be loaded at this size any more, or are others
  // now.
  absl::StatusOr<const LoadedEncoder*> At(int rows, int cols);

 private:
  const LoadedEncoder own_;
  const Loader load_;
  std::list<LoadedEncoder> others_;  // most recently used first
};

}  // namespace mimeo
