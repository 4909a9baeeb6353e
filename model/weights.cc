#include "model/weights.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <google/protobuf/text_format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "model/vit_encoder.h"
#include "model/vit_layout.h"

namespace mimeo {
namespace {

constexpr double kNormEpsilon = 1e-6;  // of every family but Hugging Face's, whose config.json says

std::string ShapeText(at::IntArrayRef shape) { return absl::StrCat("[", absl::StrJoin(shape, ", "), "]"); }

absl::Status Refuse(const std::string& path, const std::vector<std::string>& problems) {
  std::vector<std::string> lines;
  for (const std::string& problem : problems) lines.push_back(absl::StrCat(path, ": ", problem));
  return absl::InvalidArgumentError(absl::StrJoin(lines, "\n"));
}

// A weights file, open, with what lies beside it.
struct WeightsFile {
  std::string path;
  std::unique_ptr<SafetensorsFile> file;
  NamedTensors tensors;  // look into `file`
  VitLayout layout;
  nlohmann::json config;        // config.json of its folder; an object, perhaps empty
  nlohmann::json preprocessor;  // preprocessor_config.json, likewise
};

absl::StatusOr<nlohmann::json> ReadJsonBeside(const std::string& path, const std::string& name) {
  const size_t slash = path.rfind('/');
  const std::string beside = slash == std::string::npos ? name : path.substr(0, slash + 1) + name;
  if (!FileExists(beside)) return nlohmann::json::object();
  ASSIGN_OR_RETURN(const std::string text, ReadFile(beside, /*max_bytes=*/1 << 20));
  nlohmann::json value = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!value.is_object()) return absl::InvalidArgumentError(absl::StrCat(beside, ": not a JSON object"));
  return value;
}

absl::StatusOr<WeightsFile> OpenWeights(const std::string& path) {
  WeightsFile weights;
  weights.path = IsDirectory(path) ? JoinPath(path, "model.safetensors") : path;
  ASSIGN_OR_RETURN(weights.file, SafetensorsFile::Open(weights.path));
  ASSIGN_OR_RETURN(weights.tensors, ReadTensors(weights.file->view()));
  std::vector<std::string> keys;
  for (const auto& [key, tensor] : weights.tensors) keys.push_back(key);
  absl::StatusOr<VitLayout> layout = DetectVitLayout(keys);
  if (!layout.ok()) return Refuse(weights.path, {std::string(layout.status().message())});
  weights.layout = *std::move(layout);
  if (weights.layout.names == VitLayout::Names::kHuggingFace) {
    ASSIGN_OR_RETURN(weights.config, ReadJsonBeside(weights.path, "config.json"));
    ASSIGN_OR_RETURN(weights.preprocessor, ReadJsonBeside(weights.path, "preprocessor_config.json"));
  }
  return weights;
}

// What an encoder needs to be made.
struct Description {
  VitSpec vit;
  int image_px = 0;
  double norm_epsilon = kNormEpsilon;
};

int UsualHeads(int width) {
  constexpr std::pair<int, int> kUsual[] = {{192, 3}, {384, 6}, {768, 12}, {1024, 16}, {1280, 16}};
  for (const auto& [usual_width, heads] : kUsual) {
    if (width == usual_width) return heads;
  }
  return 0;
}

const at::Tensor* FindTensor(const WeightsFile& weights, const std::string& key) {
  const auto found = weights.tensors.find(key);
  return found == weights.tensors.end() ? nullptr : &found->second;
}

// Width, depth, patch and MLP from shapes; image size from the number of positions.
void DescribeShapes(const WeightsFile& weights, Description* description, std::vector<std::string>* problems) {
  const at::Tensor& patch = weights.tensors.at(weights.layout.PatchWeight());
  if (patch.dim() != 4 || patch.size(2) != patch.size(3) || patch.size(2) == 0 || patch.size(0) == 0 || patch.size(0) % 4 != 0) {
    problems->push_back(absl::StrCat(weights.layout.PatchWeight(), " has shape ", ShapeText(patch.sizes()),
                                     "; it should be [width, 3, patch, patch], the width a multiple of 4"));
    return;
  }
  description->vit.set_width(static_cast<int>(patch.size(0)));
  description->vit.set_patch_px(static_cast<int>(patch.size(2)));
  description->vit.set_depth(weights.layout.depth);
  const at::Tensor* mlp = FindTensor(weights, weights.layout.FirstMlpWeight());
  if (mlp != nullptr && mlp->dim() == 2) {
    description->vit.set_mlp_ratio(static_cast<double>(mlp->size(0)) / static_cast<double>(patch.size(0)));
  } else {
    description->vit.set_mlp_ratio(4);  // the key is named among the missing or misshapen
  }
  const at::Tensor* positions = FindTensor(weights, weights.layout.Positions());
  if (positions == nullptr) {
    if (weights.layout.family != "mimeo") problems->push_back(absl::StrCat("missing key ", weights.layout.Positions()));
    return;
  }
  const int64_t num_patches = positions->numel() / patch.size(0) - 1;
  const auto side = static_cast<int64_t>(std::llround(std::sqrt(std::max<double>(0, static_cast<double>(num_patches)))));
  if (side < 1 || (side * side + 1) * patch.size(0) != positions->numel()) {
    problems->push_back(absl::StrCat(weights.layout.Positions(), " has shape ", ShapeText(positions->sizes()),
                                     "; it should be [1, 1 + a square number, ", patch.size(0), "]"));
    return;
  }
  description->image_px = static_cast<int>(side * patch.size(2));
}

void DescribeByJob(const WeightsFile& weights, Description* description, std::vector<std::string>* problems) {
  const auto& metadata = weights.file->view().metadata();
  const auto text = metadata.find("job");
  JobSpec job;
  if (text == metadata.end() || !google::protobuf::TextFormat::ParseFromString(text->second, &job)) {
    problems->push_back("metadata key `job` is missing or not a job: an encoder under Mimeo's names needs it");
    return;
  }
  description->vit.set_heads(job.encoder().vit().heads());
  description->image_px = job.data().image_px();
}

void DescribeByConfig(const WeightsFile& weights, Description* description, std::vector<std::string>* problems) {
  const nlohmann::json& config = weights.config;
  const auto number = [&](const char* key) { return config.contains(key) && config[key].is_number() ? config[key].get<double>() : 0; };
  description->vit.set_heads(static_cast<int>(number("num_attention_heads")));
  description->norm_epsilon = number("layer_norm_eps");
  if (description->vit.heads() <= 0) problems->push_back("config.json beside it: num_attention_heads is missing");
  if (!(description->norm_epsilon > 0)) problems->push_back("config.json beside it: layer_norm_eps is missing");
  if (config.contains("hidden_act") && config["hidden_act"] != "gelu") {
    problems->push_back(absl::StrCat("config.json beside it: hidden_act is ", config["hidden_act"].dump(), "; only \"gelu\" is known"));
  }
}

void DescribeByWidth(const WeightsFile& weights, Description* description, std::vector<std::string>* problems) {
  const auto& metadata = weights.file->view().metadata();
  const auto stated = metadata.find("num_heads");
  int heads = UsualHeads(description->vit.width());
  if (stated != metadata.end() && !absl::SimpleAtoi(stated->second, &heads)) heads = 0;
  description->vit.set_heads(heads);
  if (heads <= 0) {
    problems->push_back(absl::StrCat("no usual ViT has width ", description->vit.width(),
                                     ": state its number of heads in metadata key `num_heads`"));
  }
}

absl::StatusOr<Description> Describe(const WeightsFile& weights) {
  Description description;
  std::vector<std::string> problems;
  DescribeShapes(weights, &description, &problems);
  if (weights.layout.family == "mimeo") {
    DescribeByJob(weights, &description, &problems);
  } else if (weights.layout.names == VitLayout::Names::kHuggingFace) {
    DescribeByConfig(weights, &description, &problems);
  } else {
    DescribeByWidth(weights, &description, &problems);
  }
  const VitSpec& vit = description.vit;
  if (problems.empty() && (vit.heads() <= 0 || vit.width() % vit.heads() != 0)) {
    problems.push_back(absl::StrCat("width ", vit.width(), " is not a multiple of ", vit.heads(), " heads"));
  }
  if (problems.empty() && (description.image_px <= 0 || description.image_px % vit.patch_px() != 0)) {
    problems.push_back(absl::StrCat("image size ", description.image_px, " is not a multiple of patch size ", vit.patch_px()));
  }
  if (!problems.empty()) return Refuse(weights.path, problems);
  return description;
}

// The value of a rule's parameter, or undefined with its problems appended.
at::Tensor Assemble(const WeightsFile& weights, const KeyRule& rule, const at::Tensor& parameter,
                    std::vector<std::string>* problems) {
  std::vector<int64_t> shape = parameter.sizes().vec();
  shape[0] /= static_cast<int64_t>(rule.sources.size());
  std::vector<at::Tensor> parts;
  for (const std::string& key : rule.sources) {
    const at::Tensor* part = FindTensor(weights, key);
    if (part == nullptr) {
      problems->push_back(absl::StrCat("missing key ", key, ", shape ", ShapeText(shape)));
    } else if (part->sizes() != at::IntArrayRef(shape)) {
      problems->push_back(absl::StrCat("key ", key, " has shape ", ShapeText(part->sizes()), ", should be ", ShapeText(shape)));
    } else if (!part->is_floating_point()) {
      problems->push_back(absl::StrCat("key ", key, " holds ", toString(part->scalar_type()), ", not floating-point numbers"));
    } else {
      parts.push_back(*part);
    }
  }
  if (parts.size() != rule.sources.size()) return at::Tensor();
  return parts.size() == 1 ? parts.front() : at::cat(parts);
}

// Fills `parameters`, or changes nothing.
absl::Status CopyWeights(const WeightsFile& weights, const Parameters& parameters) {
  const at::NoGradGuard no_grad;
  std::vector<std::string> problems;
  std::set<std::string> expected = {weights.layout.Positions()};
  std::vector<std::pair<at::Tensor, at::Tensor>> copies;
  for (const KeyRule& rule : weights.layout.Rules()) {
    expected.insert(rule.sources.begin(), rule.sources.end());
    at::Tensor parameter = parameters.Find(rule.parameter);
    at::Tensor value = Assemble(weights, rule, parameter, &problems);
    if (value.defined()) copies.emplace_back(std::move(parameter), std::move(value));
  }
  for (const auto& [key, tensor] : weights.tensors) {
    if (expected.count(key) == 0 && !weights.layout.PassesOver(key)) problems.push_back(absl::StrCat("unknown key ", key));
  }
  if (!problems.empty()) return Refuse(weights.path, problems);
  for (const auto& [parameter, value] : copies) parameter.copy_(value);
  return absl::OkStatus();
}

PixelStatistics StatisticsOf(const WeightsFile& weights) {
  PixelStatistics statistics = ImageNetStatistics();
  const nlohmann::json& stated = weights.preprocessor;
  for (const auto& [key, values] : {std::make_pair("image_mean", statistics.mean), std::make_pair("image_std", statistics.std)}) {
    if (!stated.contains(key) || !stated[key].is_array() || stated[key].size() != 3) continue;
    for (int c = 0; c < 3; ++c) {
      if (stated[key][c].is_number()) values[c] = stated[key][c].get<float>();
    }
  }
  return statistics;
}

// Of the file's own grid; undefined where the file has none.
at::Tensor StoredPositions(const WeightsFile& weights, const VitSpec& vit) {
  const at::Tensor* stored = FindTensor(weights, weights.layout.Positions());
  return stored == nullptr ? at::Tensor() : stored->reshape({-1, vit.width()}).to(at::kFloat);
}

absl::Status CheckTrainable(const WeightsFile& weights, const Description& from, const Parameters& into) {
  std::vector<std::string> problems;
  int depth = 0;
  for (const auto& [name, tensor] : into.all()) {
    if (name.rfind("encoder.blocks.", 0) == 0 && name.find(".norm1.weight") != std::string::npos) ++depth;
  }
  if (from.vit.depth() != depth) {
    problems.push_back(absl::StrCat("it has ", from.vit.depth(), " blocks; this encoder has ", depth));
  }
  const at::Tensor positions = StoredPositions(weights, from.vit);
  const int side = from.image_px / from.vit.patch_px();
  const PatchGrid grid{side, side, from.vit.patch_px()};
  if (positions.defined() && (positions - SinCosPositions(grid, from.vit.width())).abs().max().item<float>() > 1e-3f) {
    problems.push_back(absl::StrCat(weights.layout.Positions(), " are not sine-cosine positions, and this encoder keeps those fixed"));
  }
  return problems.empty() ? absl::OkStatus() : Refuse(weights.path, problems);
}

}  // namespace

absl::StatusOr<LoadedEncoder> LoadEncoder(const std::string& path) {
  ASSIGN_OR_RETURN(const WeightsFile weights, OpenWeights(path));
  ASSIGN_OR_RETURN(const Description description, Describe(weights));
  LoadedEncoder loaded;
  *loaded.spec.mutable_vit() = description.vit;
  loaded.image_px = description.image_px;
  loaded.family = weights.layout.family;
  loaded.digest = Sha256Hex(weights.file->bytes());
  loaded.statistics = StatisticsOf(weights);
  loaded.parameters = std::make_shared<Parameters>(Parameters::Unset());
  loaded.encoder = std::make_unique<VitEncoder>(description.vit, description.image_px, description.norm_epsilon, loaded.parameters.get());
  RETURN_IF_ERROR(CopyWeights(weights, *loaded.parameters));
  const at::Tensor positions = StoredPositions(weights, description.vit);
  if (positions.defined()) loaded.parameters->Find("encoder.pos_embed").copy_(positions);
  return loaded;
}

absl::Status LoadEncoderInto(const std::string& path, Parameters* parameters) {
  ASSIGN_OR_RETURN(const WeightsFile weights, OpenWeights(path));
  ASSIGN_OR_RETURN(const Description description, Describe(weights));
  RETURN_IF_ERROR(CheckTrainable(weights, description, *parameters));
  return CopyWeights(weights, *parameters);
}

}  // namespace mimeo
