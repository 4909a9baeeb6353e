#include <ATen/ops/tensor.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
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
#include "worker/tools/left_out_json.h"
#include "worker/tools/npy_file.h"
#include "worker/tools/tools.h"
#include "worker/tools/verb.h"

namespace mimeo {
namespace {

constexpr char kPatchMean[] = "patch_mean";
constexpr char kClassToken[] = "class_token";

struct Flags {
  std::string weights;
  std::string images;
  std::string out;
  std::string feature;
  bool tokens = false;
  int batch = 32;
  int image_px = 0;
  int threads = 0;
  bool npy() const { return absl::EndsWith(out, ".npy"); }
};

// What stands beside the features. Names are text and are not cut: each is below the limits of a path.
nlohmann::ordered_json NamesJson(const Dataset& dataset, const std::vector<int64_t>& samples) {
  nlohmann::ordered_json names = nlohmann::ordered_json::array();
  for (const int64_t sample : samples) {
    names.push_back(ToText(dataset.name(sample), 8 * dataset.name(sample).size() + 8));
  }
  return names;
}

nlohmann::ordered_json ClassesJson(const Dataset& dataset) {
  nlohmann::ordered_json classes = nlohmann::ordered_json::array();
  for (const std::string& name : dataset.class_names()) classes.push_back(ToText(name, 8 * name.size() + 8));
  return classes;
}

nlohmann::ordered_json PassedOverJson(const Dataset& dataset) {
  nlohmann::ordered_json left_out;
  AddLeftOut(dataset.contents(), {}, &left_out);
  return left_out["passed_over"];
}

std::map<std::string, std::string> Metadata(const LoadedEncoder& loaded, const Dataset& dataset,
                                            const std::vector<int64_t>& embedded,
                                            const std::vector<int64_t>& left_out) {
  return {{"files", JsonText(NamesJson(dataset, embedded))},
          {"left_out", JsonText(NamesJson(dataset, left_out))},
          {"classes", JsonText(ClassesJson(dataset))},
          {"passed_over", JsonText(PassedOverJson(dataset))},
          {"weights_sha256", loaded.digest},
          {"dataset_sha256", dataset.digest()},
          {"image_px", absl::StrCat(loaded.image.height_px)},
          {"image_width_px", absl::StrCat(loaded.image.width_px)}};
}

// The JSON file beside an .npy file.
std::string SidecarOf(const std::string& npy) { return npy.substr(0, npy.size() - 4) + ".json"; }

nlohmann::ordered_json SidecarJson(const Flags& flags, const LoadedEncoder& loaded, const Dataset& dataset,
                                   const Embeddings& embeddings, const std::vector<int64_t>& left_out) {
  return {{"feature", flags.feature},
          {"files", NamesJson(dataset, embeddings.samples)},
          {"labels", embeddings.labels},
          {"classes", ClassesJson(dataset)},
          {"left_out", NamesJson(dataset, left_out)},
          {"passed_over", PassedOverJson(dataset)},
          {"weights_sha256", loaded.digest},
          {"dataset_sha256", dataset.digest()},
          {"image_px", loaded.image.height_px},
          {"image_width_px", loaded.image.width_px}};
}

// Before the work. The names of all images go into the header of --out, so a large set with long names may have too
// many. An image that is left out makes the header no longer: its name only moves to another list.
absl::Status CheckHeader(const Flags& flags, const LoadedEncoder& loaded, const Dataset& dataset) {
  std::vector<int64_t> all(dataset.size());
  std::iota(all.begin(), all.end(), int64_t{0});
  const int64_t width = loaded.encoder->width(), patches = loaded.encoder->grid().num_patches();
  const std::map<std::string, TensorBytes> tensors = {{kClassToken, {"F32", {dataset.size(), width}, ""}},
                                                      {kPatchMean, {"F32", {dataset.size(), width}, ""}},
                                                      {"labels", {"I64", {dataset.size()}, ""}},
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

absl::Status CheckFlags(Flags* flags) {
  if (!flags->npy()) {
    if (flags->feature.empty()) return CheckOutputFile("--out", flags->out);
    return absl::InvalidArgumentError(absl::StrCat("--feature=", flags->feature, ": --out=", flags->out,
                                                   " holds all features; to choose one, name a file *.npy"));
  }
  if (flags->tokens) {
    return absl::InvalidArgumentError(
        absl::StrCat("--tokens: --out=", flags->out, " holds one matrix; to write tokens, name a file *.safetensors"));
  }
  if (flags->feature.empty()) flags->feature = kPatchMean;
  RETURN_IF_ERROR(CheckOutputFile("--out", flags->out));
  return CheckOutputFile("--out", SidecarOf(flags->out));
}

absl::Status CheckFeature(const Flags& flags, const LoadedEncoder& loaded) {
  if (flags.feature != kClassToken || loaded.encoder->has_class_token()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("--feature=class_token: the encoder of --weights=", flags.weights,
                                                 " has none; patch_mean is there"));
}

absl::Status Write(const Flags& flags, const LoadedEncoder& loaded, const Dataset& dataset,
                   const Embeddings& embeddings, const std::vector<int64_t>& left_out) {
  if (flags.npy()) {
    const bool by_class = flags.feature == kClassToken;
    RETURN_IF_ERROR(WriteNpy(flags.out, by_class ? embeddings.class_token_ND : embeddings.patch_mean_ND));
    return WriteFileAtomic(SidecarOf(flags.out),
                           JsonText(SidecarJson(flags, loaded, dataset, embeddings, left_out)) + "\n");
  }
  NamedTensors tensors = {{kPatchMean, embeddings.patch_mean_ND}};
  if (embeddings.class_token_ND.defined()) tensors[kClassToken] = embeddings.class_token_ND;
  if (flags.tokens) tensors["patch_tokens"] = embeddings.patch_tokens_NLD;
  tensors["labels"] = at::tensor(std::vector<int64_t>(embeddings.labels.begin(), embeddings.labels.end()), at::kLong);
  return WriteSafetensors(flags.out, tensors, Metadata(loaded, dataset, embeddings.samples, left_out));
}

absl::Status Embed(Flags flags) {
  RETURN_IF_ERROR(CheckFlags(&flags));
  ASSIGN_OR_RETURN(const LoadedEncoder loaded, OpenEncoder(flags.weights, flags.image_px));
  RETURN_IF_ERROR(CheckFeature(flags, loaded));
  ASSIGN_OR_RETURN(const std::unique_ptr<Dataset> dataset, Dataset::Open(flags.images));
  if (!flags.npy()) RETURN_IF_ERROR(CheckHeader(flags, loaded, *dataset));
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
  std::vector<int64_t> bad_samples;
  for (const LeftOut& bad : left_out) bad_samples.push_back(bad.sample);
  if (!left_out.empty()) {
    spdlog::warn("{} of {} images are left out; left_out in {} names them", left_out.size(), dataset->size(),
                 flags.npy() ? SidecarOf(flags.out) : "the metadata");
  }
  return Write(flags, loaded, *dataset, embeddings, bad_samples);
}

}  // namespace

int RunEmbed(int argc, char** argv) {
  Flags flags;
  CLI::App app(
      "Features of images by an encoder, unmasked. A safetensors file has class_token (N, D), patch_mean (N, D), "
      "labels "
      "(N), and with --tokens patch_tokens (N, L, D); its metadata are JSON lists: `files` of the N images, `classes` "
      "of "
      "the names that labels number (-1: the image has none), `left_out` of images that cannot be decoded. An .npy "
      "file "
      "has one matrix (N, D) for numpy.load, and a .json file beside it has the lists and the labels.",
      "embed");
  app.add_option("--weights", flags.weights, "A weights file, or a folder with model.safetensors")->required();
  app.add_option("--images", flags.images, "A folder of images, a tar, or a folder of tars")->required();
  app.add_option("--out", flags.out, "The file to write: *.npy, or any other name for safetensors")->required();
  app.add_option("--feature", flags.feature, "Of *.npy: patch_mean (default), or class_token")
      ->check(CLI::IsMember({kPatchMean, kClassToken}));
  app.add_flag("--tokens", flags.tokens, "Also every patch's token");
  app.add_option("--batch", flags.batch, "Images at a time (default 32)")->check(CLI::Range(1, 4096));
  AddImagePxFlag(&app, &flags.image_px);
  app.add_option("--threads", flags.threads, "Compute threads (default: one per core)");
  app.footer("Example:\n  worker embed --weights=out/encoder --images=photos --out=features.safetensors");
  return RunVerb(&app, argc, argv, &flags.threads, [&flags] { return Embed(flags); });
}

}  // namespace mimeo
