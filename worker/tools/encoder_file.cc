#include "worker/tools/encoder_file.h"

#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "spdlog/spdlog.h"

namespace mimeo {
namespace {

absl::Status CheckPatches(const PatchGrid& grid, int image_px) {
  if (image_px == 0 || grid.rows <= kPatchesPerSideMost) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("--image_px=", image_px, ": ", grid.rows, " patches of ",
                                                 grid.patch_px, " px a side; at most ", kPatchesPerSideMost,
                                                 ", an image of ", kPatchesPerSideMost * grid.patch_px, " px"));
}

}  // namespace

void AddImagePxFlag(CLI::App* app, int* image_px) {
  app->add_option("--image_px", *image_px,
                  absl::StrCat("Side of a square crop, a multiple of the encoder's patches, at most ", kImagePxMost,
                               " (default: the encoder's own height and width)"))
      ->check(CLI::Range(0, kImagePxMost));
}

absl::StatusOr<LoadedEncoder> OpenEncoder(const std::string& path, int image_px) {
  ASSIGN_OR_RETURN(LoadedEncoder loaded, LoadEncoder(path, {image_px, image_px}));
  RETURN_IF_ERROR(CheckPatches(loaded.encoder->grid(), image_px));
  for (const std::string& note : loaded.notes) spdlog::info("weights file={} {}", path, note);
  return loaded;
}

}  // namespace mimeo
