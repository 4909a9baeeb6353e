#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/json_text.h"
#include "base/output.h"
#include "base/safetensors.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "data/dataset.h"
#include "evaluation/crop_pass.h"
#include "evaluation/embedding.h"
#include "evaluation/left_out.h"
#include "model/finite.h"
#include "model/weights.h"
#include "spdlog/spdlog.h"
#include "worker/tools/encoder_file.h"
#include "worker/tools/tools.h"
#include "worker/tools/verb.h"

namespace mimeo {
namespace {

struct Flags {
  std::string weights;
  std::string images;
  std::string out;
  bool tokens = false;
  int batch = 32;
  int image_px = 0;
  int threads = 0;
};

// A JSON list of names on one line each. Not cut: each is below the limits of a path.
std::string NamesJson(const Dataset& dataset, const std::vector<int64_t>& samples) {
  nlohmann::ordered_json names = nlohmann::ordered_json::array();
  for (const int64_t sample : samples) {
    names.push_back(ToText(dataset.name(sample), 8 * dataset.name(sample).size() + 8));
  }
  return JsonText(names);
}

std::map<std::string, std::string> Metadata(const LoadedEncoder& loaded, const Dataset& dataset,
                                            const std::vector<int64_t>& embedded,
                                            const std::vector<int64_t>& left_out) {
  return {{"files", NamesJson(dataset, embedded)},
          {"left_out", NamesJson(dataset, left_out)},
          {"weights_sha256", loaded.digest},
          {"dataset_sha256", dataset.digest()},
          {"image_px", absl::StrCat(loaded.image.height_px)},
          {"image_width_px", absl::StrCat(loaded.image.width_px)}};
}

// Before the work. The names of all images go into the header of --out, so a large set with long names may have too
// many. An image that is left out makes the header no longer: its name only moves to another list.
absl::Status CheckHeader(const Flags& flags, const LoadedEncoder& loaded, const Dataset& dataset) {
  std::vector<int64_t> all(dataset.size());
  std::iota(all.begin(), all.end(), int64_t{0});
  const int64_t width = loaded.encoder->width(), patches = loaded.encoder->grid().num_patches();
  const std::map<std::string, TensorBytes> tensors = {{"class_token", {"F32", {dataset.size(), width}, ""}},
                                                      {"patch_mean", {"F32", {dataset.size(), width}, ""}},
                                                      {"patch_tokens", {"F32", {dataset.size(), patches, width}, ""}}};
  const absl::Status header = CheckSafetensorsHeader(tensors, Metadata(loaded, dataset, all, {}));
  if (header.ok()) return header;
  return absl::InvalidArgumentError(absl::StrCat(
      "--out=", flags.out, ": ", header.message(), "; it lists the names of the ", dataset.size(),
      " images of --images=", flags.images, ": embed them in parts, such as one class folder or tar at a time"));
}

absl::Status CheckFinite(const Embeddings& embeddings) {
  for (const at::Tensor& features : {embeddings.class_token_ND, embeddings.patch_mean_ND}) {
    const std::string not_finite = features.defined() ? NotFinite(features) : "";
    if (!not_finite.empty()) {
      return absl::DataLossError(
          absl::StrCat("the features hold ", not_finite, ": this encoder's numbers overflow float32"));
    }
  }
  return absl::OkStatus();
}

absl::Status Embed(const Flags& flags) {
  RETURN_IF_ERROR(CheckOutputFile("--out", flags.out));
  ASSIGN_OR_RETURN(const LoadedEncoder loaded, OpenEncoder(flags.weights, flags.image_px));
  ASSIGN_OR_RETURN(const std::unique_ptr<Dataset> dataset, Dataset::Open(flags.images));
  RETURN_IF_ERROR(CheckHeader(flags, loaded, *dataset));
  ImageEmbedder::Options options;
  options.tokens = flags.tokens;
  ImageEmbedder embedder(loaded.encoder.get(), loaded.statistics, options);
  PassOptions pass;
  pass.batch = flags.batch;
  pass.progress = ProgressLines("embed");
  ASSIGN_OR_RETURN(const std::vector<LeftOut> left_out, RunPass(*dataset, pass, {&embedder}));
  const Embeddings embeddings = embedder.Finish();
  LogLeftOut(*dataset, left_out);
  if (embeddings.samples.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--images=", flags.images, ": ", NoneDecodes(*dataset, left_out).message()));
  }
  RETURN_IF_ERROR(CheckFinite(embeddings));
  NamedTensors tensors = {{"patch_mean", embeddings.patch_mean_ND}};
  if (embeddings.class_token_ND.defined()) tensors["class_token"] = embeddings.class_token_ND;
  if (flags.tokens) tensors["patch_tokens"] = embeddings.patch_tokens_NLD;
  std::vector<int64_t> bad_samples;
  for (const LeftOut& bad : left_out) bad_samples.push_back(bad.sample);
  if (!left_out.empty()) {
    spdlog::warn("{} of {} images are left out; the metadata key left_out names them", left_out.size(),
                 dataset->size());
  }
  return WriteSafetensors(flags.out, tensors, Metadata(loaded, *dataset, embeddings.samples, bad_samples));
}

}  // namespace

int RunEmbed(int argc, char** argv) {
  Flags flags;
  CLI::App app(
      "Features of images by an encoder, unmasked, as a safetensors file: class_token (N, D), patch_mean (N, D), and "
      "with --tokens patch_tokens (N, L, D). The metadata key `files` lists the N images, `left_out` those that cannot "
      "be decoded.",
      "embed");
  app.add_option("--weights", flags.weights, "A weights file, or a folder with model.safetensors")->required();
  app.add_option("--images", flags.images, "A folder of images, a tar, or a folder of tars")->required();
  app.add_option("--out", flags.out, "The safetensors file to write")->required();
  app.add_flag("--tokens", flags.tokens, "Also every patch's token");
  app.add_option("--batch", flags.batch, "Images at a time (default 32)")->check(CLI::Range(1, 4096));
  AddImagePxFlag(&app, &flags.image_px);
  app.add_option("--threads", flags.threads, "Compute threads (default: one per core)");
  app.footer("Example:\n  worker embed --weights=out/encoder --images=photos --out=features.safetensors");
  return RunVerb(&app, argc, argv, &flags.threads, [&flags] { return Embed(flags); });
}

}  // namespace mimeo
