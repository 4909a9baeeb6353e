#include "worker/tools/labelled_features.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "data/dataset.h"
#include "data/spread_sample.h"
#include "evaluation/knn.h"
#include "evaluation/label_census.h"
#include "model/weights.h"
#include "spdlog/spdlog.h"
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
  return absl::InvalidArgumentError(absl::StrCat("--data=", folder,
                                                 ": holds no train/ and validation/; name the labelled images "
                                                 "that vote with --bank"));
}

// An open set, and those of its images that are measured.
struct OpenSet {
  std::string flag;
  std::unique_ptr<Dataset> dataset;
  std::vector<int64_t> samples;
  int64_t unlabelled = 0;
};

absl::StatusOr<OpenSet> Open(const std::string& flag, const std::string& path, int64_t max_images) {
  OpenSet set;
  set.flag = absl::StrCat(flag, "=", path);
  ASSIGN_OR_RETURN(set.dataset, Dataset::Open(path));
  const std::vector<int64_t> labelled = LabelledAmong(*set.dataset, AllSamples(*set.dataset));
  set.unlabelled = set.dataset->size() - static_cast<int64_t>(labelled.size());
  set.samples = SpreadSample(*set.dataset, labelled, max_images);
  return set;
}

absl::Status SayWhatIsMeasured(const OpenSet& bank, const OpenSet& query) {
  const std::vector<std::string> lines =
      DescribeLabels({bank.flag, bank.dataset.get(), bank.samples}, {query.flag, query.dataset.get(), query.samples});
  if (bank.samples.empty() || query.samples.empty()) {
    return absl::InvalidArgumentError(lines[bank.samples.empty() ? 0 : 1]);
  }
  for (const std::string& line : lines) spdlog::info("{}", line);
  return absl::OkStatus();
}

absl::Status CheckRows(const OpenSet& set, const Embeddings& embeddings) {
  LogLeftOut(*set.dataset, embeddings.left_out);
  return CheckAnyRow(set.flag, embeddings);
}

void NumberAlike(const OpenSet& bank, const OpenSet& query, LabelledSplit* split) {
  split->query.labels = LabelsAmong(split->query.labels, query.dataset->class_names(), bank.dataset->class_names());
  for (const int64_t sample : split->bank.samples) split->bank_names.push_back(bank.dataset->name(sample));
}

}  // namespace

void AddLabelledFlags(CLI::App* app, LabelledFlags* flags) {
  app->add_option("--weights", flags->weights, "A weights file, or a folder with model.safetensors")->required();
  app->add_option("--data", flags->data,
                  "Labelled images to classify; without --bank a folder with train/ and validation/")
      ->required();
  app->add_option("--bank", flags->bank, "Labelled images to classify by");
  app->add_option("--batch", flags->batch, "Images at a time (default 32)")->check(CLI::Range(1, 4096));
  app->add_option("--image_px", flags->image_px, "Side of a square crop (default: the encoder's own height and width)");
  app->add_option("--max_images", flags->max_images, "Of either set so many, spread over its classes; 0: all (default)")
      ->check(CLI::NonNegativeNumber);
  app->add_option("--threads", flags->threads, "Compute threads (default: one per core)");
}

absl::StatusOr<LabelledFeatures> EmbedLabelled(LabelledFlags flags, const std::string& verb) {
  RETURN_IF_ERROR(ResolvePaths(&flags));
  ASSIGN_OR_RETURN(const LoadedEncoder loaded, OpenEncoder(flags.weights, {flags.image_px, flags.image_px}));
  ASSIGN_OR_RETURN(const OpenSet bank, Open("--bank", flags.bank, flags.max_images));
  ASSIGN_OR_RETURN(const OpenSet query, Open("--data", flags.data, flags.max_images));
  RETURN_IF_ERROR(SayWhatIsMeasured(bank, query));
  EmbedOptions options;
  options.batch = flags.batch;
  options.image = loaded.image;
  LabelledFeatures features;
  features.image = loaded.image;
  features.unlabelled = query.unlabelled;
  features.bank_unlabelled = bank.unlabelled;
  const auto embed = [&](const OpenSet& set, const std::string& what) {
    options.samples = set.samples;
    options.progress = ProgressLines(verb + what);
    return EmbedImages(*set.dataset, *loaded.encoder, loaded.statistics, options);
  };
  ASSIGN_OR_RETURN(features.encoder.bank, embed(bank, ": bank"));
  RETURN_IF_ERROR(CheckRows(bank, features.encoder.bank));
  ASSIGN_OR_RETURN(features.encoder.query, embed(query, ": query"));
  RETURN_IF_ERROR(CheckRows(query, features.encoder.query));
  NumberAlike(bank, query, &features.encoder);
  options.progress = nullptr;
  options.samples = bank.samples;
  ASSIGN_OR_RETURN(features.raw_pixels.bank, RawPixelFeatures(*bank.dataset, kRawPixelsPx, options));
  options.samples = query.samples;
  ASSIGN_OR_RETURN(features.raw_pixels.query, RawPixelFeatures(*query.dataset, kRawPixelsPx, options));
  NumberAlike(bank, query, &features.raw_pixels);
  return features;
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
