#include "model/weights/weights_file.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "model/weights/torch_archive.h"

namespace mimeo {
namespace {

absl::StatusOr<nlohmann::json> ReadJsonBeside(const std::string& path, const std::string& name) {
  const size_t slash = path.rfind('/');
  const std::string beside = slash == std::string::npos ? name : path.substr(0, slash + 1) + name;
  if (!FileExists(beside)) return nlohmann::json::object();
  ASSIGN_OR_RETURN(const std::string text, ReadFile(beside, /*max_bytes=*/1 << 20));
  nlohmann::json value = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!value.is_object()) return absl::InvalidArgumentError(absl::StrCat(beside, ": not a JSON object"));
  return value;
}

std::string FileIn(const std::string& folder) {
  const std::string bin = JoinPath(folder, "pytorch_model.bin"), safetensors = JoinPath(folder, "model.safetensors");
  return FileExists(bin) && !FileExists(safetensors) ? bin : safetensors;
}

// DataParallel puts "module." before every key. DINO's checkpoints put "backbone." before the encoder's, and a
// projection head beside it.
void StripWrappers(WeightsFile* weights) {
  const auto strip = [&](const std::string& prefix) {
    NamedTensors stripped;
    for (const auto& [key, tensor] : weights->tensors) {
      if (absl::StartsWith(key, prefix)) stripped.emplace(key.substr(prefix.size()), tensor);
    }
    weights->notes.push_back(
        absl::StrCat("keys: ", stripped.size(), " of ", weights->tensors.size(), ", those that begin with ", prefix));
    weights->tensors = std::move(stripped);
  };
  const auto begins = [](absl::string_view prefix) {
    return [prefix](const auto& entry) { return absl::StartsWith(entry.first, prefix); };
  };
  NamedTensors& tensors = weights->tensors;
  if (!tensors.empty() && std::all_of(tensors.begin(), tensors.end(), begins("module."))) strip("module.");
  if (tensors.count("backbone.patch_embed.proj.weight") > 0) strip("backbone.");
}

absl::Status ReadAnyTensors(WeightsFile* weights) {
  ASSIGN_OR_RETURN(MappedFile file, MappedFile::Open(weights->path));
  if (LooksLikeTorchFile(file.bytes())) {
    weights->archive = std::move(file);
    ASSIGN_OR_RETURN(StateDict read, ReadTorchArchive(weights->path, weights->archive->bytes()));
    weights->tensors = std::move(read.tensors);
    if (!read.entry.empty()) weights->notes.push_back(absl::StrCat("tensors: those under \"", read.entry, "\""));
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(weights->safetensors, SafetensorsFile::Open(weights->path));
  weights->surroundings.metadata = weights->safetensors->view().metadata();
  ASSIGN_OR_RETURN(weights->tensors, ReadTensors(weights->safetensors->view()));
  return absl::OkStatus();
}

}  // namespace

std::vector<std::string> WeightsFile::Keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, tensor] : tensors) keys.push_back(key);
  return keys;
}

const at::Tensor* WeightsFile::Find(const std::string& key) const {
  const auto found = tensors.find(key);
  return found == tensors.end() ? nullptr : &found->second;
}

absl::StatusOr<WeightsFile> OpenWeights(const std::string& path) {
  WeightsFile weights;
  weights.path = IsDirectory(path) ? FileIn(path) : path;
  RETURN_IF_ERROR(ReadAnyTensors(&weights));
  StripWrappers(&weights);
  absl::StatusOr<Layout> layout = DetectLayout(weights.Keys());
  if (!layout.ok()) return absl::InvalidArgumentError(absl::StrCat(weights.path, ": ", layout.status().message()));
  weights.layout = *std::move(layout);
  weights.notes.push_back(
      absl::StrCat("family: ", weights.layout.family, ", by its key ", weights.layout.PatchWeight()));
  if (weights.layout.family == "mimeo") return weights;  // its job says everything
  ASSIGN_OR_RETURN(weights.surroundings.config, ReadJsonBeside(weights.path, "config.json"));
  ASSIGN_OR_RETURN(weights.surroundings.preprocessor, ReadJsonBeside(weights.path, "preprocessor_config.json"));
  return weights;
}

absl::Status RefuseWeights(const WeightsFile& weights, const std::vector<std::string>& problems) {
  std::vector<std::string> lines;
  for (const std::string& problem : problems) {
    lines.push_back(absl::StrCat(weights.path, " (read as ", weights.layout.family, "): ", problem));
  }
  return absl::InvalidArgumentError(absl::StrJoin(lines, "\n"));
}

}  // namespace mimeo
