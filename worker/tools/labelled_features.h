// What `knn` and `linear` begin with: features of labelled images that vote (the bank) and that are classified (the query). One thread.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "model/shapes.h"
#include "worker/embedding.h"

namespace CLI {
class App;
}

namespace mimeo {

struct LabelledFlags {
  std::string weights;
  std::string data;
  std::string bank;
  int batch = 32;
  int image_px = 0;
  int64_t max_images = 0;
  int threads = 0;
};
void AddLabelledFlags(CLI::App* app, LabelledFlags* flags);

// The labels of both are numbered alike.
struct LabelledSplit {
  Embeddings bank;
  Embeddings query;
};

struct LabelledFeatures {
  LabelledSplit encoder;
  LabelledSplit raw_pixels;  // the baseline: 32 x 32 pixels as patch_mean_ND
  ImageShape image;          // of the encoder's crops
};
// Without flags.bank, flags.data holds train/ (the bank) and validation/. `verb` is said with the progress. InvalidArgument and others: as
// OpenEncoder, Dataset::Open and EmbedImages.
absl::StatusOr<LabelledFeatures> EmbedLabelled(LabelledFlags flags, const std::string& verb);

}  // namespace mimeo
