// An encoder's weights as a person names them on a command line. One thread.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "model/weights.h"

namespace CLI {
class App;
}

namespace mimeo {

// What --image_px may ask for: a side as a job's data.image_px, and as many patches a side as it has of 16 px.
constexpr int kImagePxMost = 4096;
constexpr int kPatchesPerSideMost = 256;

// --image_px: the side of a square crop, up to kImagePxMost; 0 is the encoder's own height and width.
void AddImagePxFlag(CLI::App* app, int* image_px);

// LoadEncoder for images of that side, which says on the log what it read and assumed, a line each. InvalidArgument,
// naming --image_px: the encoder's patches do not tile such a square, or are more than kPatchesPerSideMost a side; says
// which sizes would be right. Others: as LoadEncoder.
absl::StatusOr<LoadedEncoder> OpenEncoder(const std::string& path, int image_px = 0);

}  // namespace mimeo
