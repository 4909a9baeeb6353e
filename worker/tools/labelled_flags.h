// The flags that `knn` and `linear` share, and the features that they measure. One thread.
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

// Their values; AddLabelledFlags documents each of them for --help.
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

// Embeds both sets. Without flags.bank, flags.data is a folder that holds train/ (the bank) and validation/. `verb`
// stands before the progress on stderr.
//
// InvalidArgument, naming the flag: there are no such folders, a set has no label at all, or none of its images can be
// decoded. Other errors are those of OpenEncoder, Dataset::Open and EmbedLabelled.
absl::StatusOr<LabelledFeatures> EmbedByFlags(LabelledFlags flags, const std::string& verb);

// Adds what a verb's numbers were measured on: images, bank_images, unlabelled, bank_unlabelled, image_px and
// image_width_px.
void AddCounts(const LabelledFeatures& features, nlohmann::ordered_json* result);

}  // namespace mimeo
