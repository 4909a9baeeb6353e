// What `knn` and `linear` begin with: features of labelled images that vote (the bank) and that are classified (the
// query). One thread.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "evaluation/embedding.h"
#include "model/shapes.h"

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

// The labels of both are numbered alike, and every image has one.
struct LabelledSplit {
  Embeddings bank;
  Embeddings query;
  std::vector<std::string> bank_names;  // of the bank's images, a row each
};

struct LabelledFeatures {
  LabelledSplit encoder;
  LabelledSplit raw_pixels;  // the baseline: 32 x 32 pixels as patch_mean_ND
  ImageShape image;          // of the encoder's crops
  int64_t unlabelled = 0;    // images of the query set, or of the bank, that were left out for want of a label
  int64_t bank_unlabelled = 0;
};
// Without flags.bank, flags.data holds train/ (the bank) and validation/. `verb` is said with the progress; what is
// measured is said first. Of either set flags.max_images images with a label are taken, spread over the classes
// (data/spread_sample.h). InvalidArgument, naming the flag: a set without any label, or of which no image can be
// decoded. Others: as OpenEncoder, Dataset::Open and EmbedImages.
absl::StatusOr<LabelledFeatures> EmbedLabelled(LabelledFlags flags, const std::string& verb);

// images, bank_images, unlabelled, bank_unlabelled, image_px and image_width_px: what a verb's numbers were measured
// on.
void AddCounts(const LabelledFeatures& features, nlohmann::ordered_json* result);

}  // namespace mimeo
