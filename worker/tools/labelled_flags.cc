#include "worker/tools/labelled_flags.h"

#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "worker/tools/encoder_file.h"
#include "worker/tools/verb.h"

namespace mimeo {
namespace {

absl::Status ResolvePaths(LabelledFlags* flags) {
  if (!flags->bank.empty()) return absl::OkStatus();
  const std::string folder = flags->data;
  flags->bank = JoinPath(folder, "train");
  flags->data = JoinPath(folder, "validation");
  if (IsDirectory(flags->bank) && IsDirectory(flags->data)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("--data=", folder,
                                                 ": holds no train/ and validation/; name the labelled images "
                                                 "that vote with --bank"));
}

}  // namespace

void AddLabelledFlags(CLI::App* app, LabelledFlags* flags) {
  app->add_option("--weights", flags->weights, "A weights file, or a folder with model.safetensors")->required();
  app->add_option("--data", flags->data,
                  "Labelled images to classify; without --bank a folder with train/ and validation/")
      ->required();
  app->add_option("--bank", flags->bank, "Labelled images to classify by");
  app->add_option("--batch", flags->batch, "Images at a time (default 32)")->check(CLI::Range(1, 4096));
  AddImagePxFlag(app, &flags->image_px);
  app->add_option("--max_images", flags->max_images, "Of either set so many, spread over its classes; 0: all (default)")
      ->check(CLI::NonNegativeNumber);
  app->add_option("--threads", flags->threads, "Compute threads (default: one per core)");
}

absl::StatusOr<LabelledFeatures> EmbedByFlags(LabelledFlags flags, const std::string& verb) {
  RETURN_IF_ERROR(ResolvePaths(&flags));
  ASSIGN_OR_RETURN(const LoadedEncoder loaded, OpenEncoder(flags.weights, flags.image_px));
  ASSIGN_OR_RETURN(const LabelledSet bank,
                   OpenLabelledSet(absl::StrCat("--bank=", flags.bank), flags.bank, flags.max_images));
  ASSIGN_OR_RETURN(const LabelledSet query,
                   OpenLabelledSet(absl::StrCat("--data=", flags.data), flags.data, flags.max_images));
  LabelledOptions options;
  options.batch = flags.batch;
  options.bank_progress = ProgressLines(verb + ": bank");
  options.query_progress = ProgressLines(verb + ": query");
  return EmbedLabelled(loaded, bank, query, options);
}

void AddCounts(const LabelledFeatures& features, nlohmann::ordered_json* result) {
  (*result)["images"] = features.encoder.query.samples.size();
  (*result)["bank_images"] = features.encoder.bank.samples.size();
  (*result)["unlabelled"] = features.unlabelled;
  (*result)["bank_unlabelled"] = features.bank_unlabelled;
  (*result)["image_px"] = features.image.height_px;
  (*result)["image_width_px"] = features.image.width_px;
}

}  // namespace mimeo
