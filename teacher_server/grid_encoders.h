// One frozen encoder at its own grid of patches and, with its positions interpolated, at the other grids that jobs ask
// for. Those are made on first use. When there are more than limits::kTeacherGrids of them, the one that was unused for
// longest goes. One thread.
#pragma once

#include <functional>
#include <list>

#include "absl/status/statusor.h"
#include "model/weights.h"

namespace mimeo {

class GridEncoders {
 public:
  // Reads the same weights for images of another size, as LoadEncoder of one path does.
  using Loader = std::function<absl::StatusOr<LoadedEncoder>(const LoadOptions& options)>;

  GridEncoders(LoadedEncoder own, Loader load) : own_(std::move(own)), load_(std::move(load)) {}

  const LoadedEncoder& own() const { return own_; }
  // The encoder for this grid, valid until the next call. The first use of a grid reads the weights file, and blocks
  // for as long as that takes. FailedPrecondition: the weights cannot be loaded at this size, or the file holds others
  // now.
  absl::StatusOr<const LoadedEncoder*> At(int rows, int cols);

 private:
  const LoadedEncoder own_;
  const Loader load_;
  std::list<LoadedEncoder> others_;  // most recently used first
};

}  // namespace mimeo
