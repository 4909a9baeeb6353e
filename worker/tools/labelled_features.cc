#include "worker/tools/labelled_features.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "data/dataset.h"
#include "model/weights.h"
#include "worker/tools/encoder_file.h"
#include "worker/tools/verb.h"

namespace mimeo {
namespace {

constexpr int kRawPixelsPx = 32;

absl::Status ResolvePaths(LabelledFlags* flags) {
  if (!flags->bank.empty()) return absl::OkStatus();
  const std::string folder = flags->data;
  flags->bank = JoinPath(folder, "train");
  flags->data = JoinPath(folder, "validation");
  if (IsDirectory(flags->bank) && IsDirectory(flags->data)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("--data=", folder, ": holds no train/ and validation/; name the labelled images "
                                                 "that vote with --bank"));
}

void NumberAlike(const Dataset& bank, const Dataset& query, LabelledSplit* split) {
  split->query.labels = LabelsAmong(split->query.labels, query.class_names(), bank.class_names());
}

}  // namespace

void AddLabelledFlags(CLI::App* app, LabelledFlags* flags) {
  app->add_option("--weights", flags->weights, "A weights file, or a folder with model.safetensors")->required();
  app->add_option("--data", flags->data, "Labelled images to classify; without --bank a folder with train/ and validation/")->required();
  app->add_option("--bank", flags->bank, "Labelled images to classify by");
  app->add_option("--batch", flags->batch, "Images at a time (default 32)")->check(CLI::Range(1, 4096));
  app->add_option("--image_px", flags->image_px, "Side of a square crop (default: the encoder's own height and width)");
  app->add_option("--max_images", flags->max_images, "Of either set, the first in order (default: all)");
  app->add_option("--threads", flags->threads, "Compute threads (default: one per core)");
}

absl::StatusOr<LabelledFeatures> EmbedLabelled(LabelledFlags flags, const std::string& verb) {
  RETURN_IF_ERROR(ResolvePaths(&flags));
  ASSIGN_OR_RETURN(const LoadedEncoder loaded, OpenEncoder(flags.weights, {flags.image_px, flags.image_px}));
  ASSIGN_OR_RETURN(const std::unique_ptr<Dataset> bank, Dataset::Open(flags.bank));
  ASSIGN_OR_RETURN(const std::unique_ptr<Dataset> query, Dataset::Open(flags.data));
  EmbedOptions options;
  options.batch = flags.batch;
  options.end = flags.max_images;
  options.image = loaded.image;
  LabelledFeatures features;
  features.image = loaded.image;
  options.progress = ProgressLines(verb + ": bank");
  ASSIGN_OR_RETURN(features.encoder.bank, EmbedImages(*bank, *loaded.encoder, loaded.statistics, options));
  options.progress = ProgressLines(verb + ": query");
  ASSIGN_OR_RETURN(features.encoder.query, EmbedImages(*query, *loaded.encoder, loaded.statistics, options));
  NumberAlike(*bank, *query, &features.encoder);
  options.progress = nullptr;
  ASSIGN_OR_RETURN(features.raw_pixels.bank, RawPixelFeatures(*bank, kRawPixelsPx, options));
  ASSIGN_OR_RETURN(features.raw_pixels.query, RawPixelFeatures(*query, kRawPixelsPx, options));
  NumberAlike(*bank, *query, &features.raw_pixels);
  return features;
}

}  // namespace mimeo
