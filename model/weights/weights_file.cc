#include "model/weights/weights_file.h"

#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/digest.h"
#include "base/status_macros.h"
#include "model/weights/key_names.h"
#include "model/weights/shard_index.h"
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

// The names that Hugging Face's libraries give a model's file or index in its folder, as they look for them.
absl::StatusOr<std::string> FileIn(const std::string& folder) {
  constexpr const char* kNames[] = {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
                                    "pytorch_model.bin.index.json"};
  for (const char* name : kNames) {
    if (FileExists(JoinPath(folder, name))) return JoinPath(folder, name);
  }
  return absl::NotFoundError(absl::StrCat(folder, ": a folder without weights; it should hold ",
                                          absl::StrJoin(kNames, ", or "), ", or name the file itself"));
}

absl::StatusOr<NamedTensors> ReadOneFile(const std::string& path, WeightsFile* weights) {
  ASSIGN_OR_RETURN(MappedFile file, MappedFile::Open(path));
  if (LooksLikeTorchFile(file.bytes())) {
    weights->archives.push_back(std::move(file));
    ASSIGN_OR_RETURN(StateDict read, ReadTorchArchive(path, weights->archives.back().bytes()));
    if (!read.entry.empty()) weights->notes.push_back(absl::StrCat("tensors: those under \"", read.entry, "\""));
    return std::move(read.tensors);
  }
  ASSIGN_OR_RETURN(std::unique_ptr<SafetensorsFile> opened, SafetensorsFile::Open(path));
  weights->safetensors.push_back(std::move(opened));
  absl::StatusOr<NamedTensors> tensors = ReadTensors(weights->safetensors.back()->view());
  if (!tensors.ok()) return absl::Status(tensors.status().code(), absl::StrCat(path, ": ", tensors.status().message()));
  return tensors;
}

// What all files of a model say alike. A shard may have words about itself.
std::map<std::string, std::string> CommonMetadata(const WeightsFile& weights) {
  std::map<std::string, std::string> common;
  if (weights.safetensors.empty()) return common;
  common = weights.safetensors.front()->view().metadata();
  for (const auto& file : weights.safetensors) {
    const std::map<std::string, std::string>& own = file->view().metadata();
    for (auto entry = common.begin(); entry != common.end();) {
      const auto found = own.find(entry->first);
      entry = found != own.end() && found->second == entry->second ? std::next(entry) : common.erase(entry);
    }
  }
  return common;
}

std::set<std::string> KeysOf(const NamedTensors& tensors) {
  std::set<std::string> keys;
  for (const auto& [key, tensor] : tensors) keys.insert(key);
  return keys;
}

absl::Status ReadShards(const ShardIndex& index, WeightsFile* weights) {
  const std::string folder = weights->path.substr(0, weights->path.rfind('/') + 1);
  std::vector<std::string> absent, problems;
  for (const auto& [shard, keys] : index) {
    if (!FileExists(folder + shard)) absent.push_back(shard);
  }
  if (!absent.empty()) {
    return absl::NotFoundError(absl::StrCat(weights->path, ": of its ", index.size(),
                                            " shards these are missing beside it: ", absl::StrJoin(absent, ", ")));
  }
  for (const auto& [shard, keys] : index) {
    ASSIGN_OR_RETURN(NamedTensors tensors, ReadOneFile(folder + shard, weights));
    const std::vector<std::string> wrong = CompareShard(index, shard, KeysOf(tensors));
    problems.insert(problems.end(), wrong.begin(), wrong.end());
    weights->tensors.merge(tensors);
  }
  weights->notes.push_back(absl::StrCat("shards: ", index.size()));
  if (problems.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(weights->path, ": its shards are not those that it was made for: ", absl::StrJoin(problems, "\n")));
}

absl::Status ReadAnyTensors(WeightsFile* weights) {
  if (IsShardIndex(weights->path)) {
    ASSIGN_OR_RETURN(const std::string text, ReadFile(weights->path, kShardIndexBytes));
    const absl::StatusOr<ShardIndex> index = ParseShardIndex(text);
    if (!index.ok()) {
      return absl::Status(index.status().code(), absl::StrCat(weights->path, ": ", index.status().message()));
    }
    RETURN_IF_ERROR(ReadShards(*index, weights));
  } else {
    ASSIGN_OR_RETURN(weights->tensors, ReadOneFile(weights->path, weights));
  }
  weights->surroundings.metadata = CommonMetadata(*weights);
  return absl::OkStatus();
}

// Renames the tensors, and drops those that are not the encoder's.
absl::Status NameTensors(WeightsFile* weights) {
  const bool mimeo =
      weights->surroundings.metadata.count("job") > 0 && (weights->Find("encoder.patch_embed.proj.weight") != nullptr ||
                                                          weights->Find("encoder.patch_embed1.proj.weight") != nullptr);
  ASSIGN_OR_RETURN(EncoderKeys found, FindEncoderKeys(weights->Keys(), mimeo));
  NamedTensors named;
  for (const auto& [name, key] : found.keys) named.emplace(name, weights->tensors.at(key));
  weights->tensors = std::move(named);
  weights->notes.insert(weights->notes.end(), found.notes.begin(), found.notes.end());
  ASSIGN_OR_RETURN(weights->layout, DetectLayout(weights->Keys()));
  weights->notes.push_back(
      absl::StrCat("family: ", weights->layout.family, ", by its key ", weights->layout.PatchWeight()));
  return absl::OkStatus();
}

// For an error about the keys of a file that holds only a part of the model.
std::string ShardAdvice(const std::string& path) {
  const std::string whole = WholeOfShard(path);
  return whole.empty() ? "" : absl::StrCat("; ", whole);
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

std::string WeightsFile::Digest() const {
  std::vector<std::string> digests;
  for (const auto& file : safetensors) digests.push_back(Sha256Hex(file->bytes()));
  for (const MappedFile& file : archives) digests.push_back(Sha256Hex(file.bytes()));
  if (!IsShardIndex(path)) return digests.front();
  return Sha256Hex(absl::StrCat(absl::StrJoin(digests, "\n"), "\n"));
}

absl::StatusOr<WeightsFile> OpenWeights(const std::string& path) {
  WeightsFile weights;
  weights.path = path;
  if (IsDirectory(path)) {
    ASSIGN_OR_RETURN(weights.path, FileIn(path));
  }
  RETURN_IF_ERROR(ReadAnyTensors(&weights));
  const absl::Status named = NameTensors(&weights);
  if (!named.ok()) {
    return absl::Status(named.code(), absl::StrCat(weights.path, ": ", named.message(), ShardAdvice(weights.path)));
  }
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
  return absl::InvalidArgumentError(absl::StrCat(absl::StrJoin(lines, "\n"), ShardAdvice(weights.path)));
}

}  // namespace mimeo
