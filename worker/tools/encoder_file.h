// An encoder's weights as a person names them on a command line. Free functions.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "model/weights.h"

namespace CLI {
class App;
}

namespace mimeo {

// The bounds of --image_px: a side as large as a job's data.image_px may be, and as many patches a side as it has with
// patches of 16 px.
constexpr int kImagePxMost = 4096;
constexpr int kPatchesPerSideMost = 256;

// Adds --image_px: the side of a square crop, up to kImagePxMost. 0 means the encoder's own height and width.
void AddImagePxFlag(CLI::App* app, int* image_px);

// Loads an encoder for images of that side, and logs what was read and what was assumed, a line each. InvalidArgument,
// naming --image_px: the encoder's patches do not tile such a square, or there are more than kPatchesPerSideMost of
// them a side; the message says which sizes would be right. Other errors are those of LoadEncoder.
absl::StatusOr<LoadedEncoder> OpenEncoder(const std::string& path, int image_px = 0);

}  // namespace mimeo
