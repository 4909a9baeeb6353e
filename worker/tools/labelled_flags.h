// The flags that `knn` and `linear` share, and what they measure by them. One thread.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "evaluation/labelled_features.h"

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

// Without flags.bank, flags.data holds train/ (the bank) and validation/. `verb` is said with the progress.
// InvalidArgument, naming the flag: no such folders, a set without any label, or of which no image can be decoded.
// Others: as OpenEncoder, Dataset::Open and EmbedLabelled.
absl::StatusOr<LabelledFeatures> EmbedByFlags(LabelledFlags flags, const std::string& verb);

// images, bank_images, unlabelled, bank_unlabelled, image_px and image_width_px: what a verb's numbers were measured
// on.
void AddCounts(const LabelledFeatures& features, nlohmann::ordered_json* result);

}  // namespace mimeo
