#include "teacher_server/grid_encoders.h"

#include <spdlog/spdlog.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/limits.h"

namespace mimeo {
namespace {

bool HasGrid(const LoadedEncoder& loaded, int rows, int cols) {
  const PatchGrid grid = loaded.encoder->grid();
  return grid.rows == rows && grid.cols == cols;
}

}  // namespace

absl::StatusOr<const LoadedEncoder*> GridEncoders::At(int rows, int cols) {
  if (HasGrid(own_, rows, cols)) return &own_;
  for (auto other = others_.begin(); other != others_.end(); ++other) {
    if (!HasGrid(*other, rows, cols)) continue;
    others_.splice(others_.begin(), others_, other);
    return &others_.front();
  }
  const std::string grid = absl::StrCat("a grid of ", rows, "x", cols, " patches");
  const int patch_px = own_.encoder->grid().patch_px;
  absl::StatusOr<LoadedEncoder> loaded = load_(LoadOptions{rows * patch_px, cols * patch_px});
  if (!loaded.ok()) {
    return absl::FailedPreconditionError(absl::StrCat("no encoder for ", grid, ": ", loaded.status().message()));
  }
  if (loaded->digest != own_.digest) {
    return absl::FailedPreconditionError(absl::StrCat("no encoder for ", grid, ": the weights file was ", own_.digest,
                                                      " when the teacher started, now it is ", loaded->digest));
  }
  if (!HasGrid(*loaded, rows, cols)) {
    return absl::FailedPreconditionError(absl::StrCat("no encoder for ", grid, ": these weights serve their own only"));
  }
  if (others_.size() == limits::kTeacherGrids) others_.pop_back();
  others_.push_front(*std::move(loaded));
  spdlog::info("encoder made rows={} cols={} kept={}", rows, cols, others_.size());
  return &others_.front();
}

}  // namespace mimeo
