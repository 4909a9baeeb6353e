#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "data/dataset.h"
#include "model/weights.h"
#include "worker/embedding.h"
#include "worker/tools/encoder_file.h"
#include "worker/tools/tools.h"
#include "worker/tools/verb.h"

namespace mimeo {
namespace {

constexpr int kRawPixelsPx = 32;

struct Flags {
  std::string weights;
  std::string data;
  std::string bank;
  KnnOptions knn;
  int batch = 32;
  int image_px = 0;
  int64_t max_images = 0;
  int threads = 0;
};

absl::Status ResolvePaths(Flags* flags) {
  if (!flags->bank.empty()) return absl::OkStatus();
  const std::string folder = flags->data;
  flags->bank = JoinPath(folder, "train");
  flags->data = JoinPath(folder, "validation");
  if (IsDirectory(flags->bank) && IsDirectory(flags->data)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("--data=", folder, ": holds no train/ and validation/; name the labelled images "
                                                 "that vote with --bank"));
}

// Both sets of features and the labels of both, numbered alike.
struct Split {
  Embeddings bank;
  Embeddings query;
};

void NumberAlike(const Dataset& bank, const Dataset& query, Split* split) {
  split->query.labels = LabelsAmong(split->query.labels, query.class_names(), bank.class_names());
}

absl::StatusOr<double> Accuracy(const at::Tensor& bank, const at::Tensor& query, const Split& split, const Flags& flags) {
  return KnnAccuracy(bank, split.bank.labels, query, split.query.labels, flags.knn);
}

absl::Status Knn(Flags flags) {
  RETURN_IF_ERROR(ResolvePaths(&flags));
  ASSIGN_OR_RETURN(const LoadedEncoder loaded, OpenEncoder(flags.weights, {flags.image_px, flags.image_px}));
  ASSIGN_OR_RETURN(const std::unique_ptr<Dataset> bank, Dataset::Open(flags.bank));
  ASSIGN_OR_RETURN(const std::unique_ptr<Dataset> query, Dataset::Open(flags.data));
  EmbedOptions options;
  options.batch = flags.batch;
  options.end = flags.max_images;
  options.image = loaded.image;
  Split features;
  options.progress = ProgressLines("knn: bank");
  ASSIGN_OR_RETURN(features.bank, EmbedImages(*bank, *loaded.encoder, loaded.statistics, options));
  options.progress = ProgressLines("knn: query");
  ASSIGN_OR_RETURN(features.query, EmbedImages(*query, *loaded.encoder, loaded.statistics, options));
  NumberAlike(*bank, *query, &features);
  options.progress = nullptr;
  Split raw;
  ASSIGN_OR_RETURN(raw.bank, RawPixelFeatures(*bank, kRawPixelsPx, options));
  ASSIGN_OR_RETURN(raw.query, RawPixelFeatures(*query, kRawPixelsPx, options));
  NumberAlike(*bank, *query, &raw);

  nlohmann::ordered_json result;
  ASSIGN_OR_RETURN(const double by_mean, Accuracy(features.bank.patch_mean_ND, features.query.patch_mean_ND, features, flags));
  double by_class = by_mean;
  if (features.bank.class_token_ND.defined()) {
    ASSIGN_OR_RETURN(by_class, Accuracy(features.bank.class_token_ND, features.query.class_token_ND, features, flags));
    result["knn_accuracy_class"] = by_class;
  }
  ASSIGN_OR_RETURN(const double by_pixels, Accuracy(raw.bank.patch_mean_ND, raw.query.patch_mean_ND, raw, flags));
  result["knn_accuracy"] = std::max(by_class, by_mean);
  result["knn_accuracy_patch_mean"] = by_mean;
  result["majority_rate"] = MajorityRate(features.query.labels);
  result["knn_raw_pixels"] = by_pixels;
  result["images"] = features.query.samples.size();
  result["bank_images"] = features.bank.samples.size();
  result["k"] = flags.knn.k;
  result["temperature"] = flags.knn.temperature;
  result["image_px"] = options.image.height_px;
  result["image_width_px"] = options.image.width_px;
  std::printf("%s\n", result.dump().c_str());
  return absl::OkStatus();
}

}  // namespace

int RunKnn(int argc, char** argv) {
  Flags flags;
  CLI::App app("k-NN classification by an encoder's features, as DINO's protocol: one JSON object on stdout. knn_accuracy is the "
               "better of class token and mean patch token, both beside it, and the rates of the majority class and of k-NN on "
               "raw pixels.", "knn");
  app.add_option("--weights", flags.weights, "A weights file, or a folder with model.safetensors")->required();
  app.add_option("--data", flags.data, "Labelled images to classify; without --bank a folder with train/ and validation/")->required();
  app.add_option("--bank", flags.bank, "Labelled images that vote");
  app.add_option("--k", flags.knn.k, "Neighbours (default 20)")->check(CLI::Range(1, 100000));
  app.add_option("--temperature", flags.knn.temperature, "A neighbour votes exp(similarity / temperature) (default 0.07)");
  app.add_option("--batch", flags.batch, "Images at a time (default 32)")->check(CLI::Range(1, 4096));
  app.add_option("--image_px", flags.image_px, "Side of a square crop (default: the encoder's own height and width)");
  app.add_option("--max_images", flags.max_images, "Of either set, the first in order (default: all)");
  app.add_option("--threads", flags.threads, "Compute threads (default: one per core)");
  app.footer("Example:\n  worker knn --weights=out/encoder --data=examples/clothing");
  return RunVerb(&app, argc, argv, &flags.threads, [&flags] { return Knn(flags); });
}

}  // namespace mimeo
