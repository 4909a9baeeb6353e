#include "model/weights/stated.h"

#include <google/protobuf/text_format.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"

namespace mimeo {
namespace {

using nlohmann::json;

constexpr char kConfig[] = "config.json";
constexpr char kPreprocessor[] = "preprocessor_config.json";

const json& Section(const json& object, const char* key) {
  static const json* const empty = new json(json::object());
  return object.contains(key) && object[key].is_object() ? object[key] : *empty;
}

// A value from a file, for a message: one line of bounded length. Values in values are not written out, because they
// may be nested so deep that writing them overflows the stack.
std::string Shown(const json& value) {
  const bool nested = std::any_of(value.begin(), value.end(), [](const json& part) { return part.is_structured(); });
  return nested ? "nested" : ToText(value.dump(), 100);
}

void StateActivation(const std::string& name, const std::string& where, Stated* stated) {
  if (stated->activation.has_value()) return;
  if (name == "gelu") {
    stated->activation = {ACTIVATION_GELU, where};
  } else if (name == "quick_gelu" || name == "quickgelu") {
    stated->activation = {ACTIVATION_QUICK_GELU, where};
  } else {
    stated->problems.push_back(absl::StrCat(where, ": the activation is \"", ToText(name, 100),
                                            "\"; only \"gelu\" and \"quick_gelu\" are known"));
  }
}

void StateHeads(const json& object, const char* key, Stated* stated) {
  if (stated->heads.has_value() || !object.contains(key)) return;
  if (object[key].is_number_integer() && object[key].get<int64_t>() > 0 && object[key].get<int64_t>() < 10000) {
    stated->heads = {object[key].get<int>(), kConfig};
  } else {
    stated->problems.push_back(
        absl::StrCat(kConfig, ": ", key, " is ", Shown(object[key]), "; it should be a number of heads"));
  }
}

// A side, or [height, width], or timm's [channels, height, width].
void StateImage(const json& object, const char* key, Stated* stated) {
  if (stated->image_px.has_value() || !object.contains(key)) return;
  const json& size = object[key];
  const auto side = [](const json& value) {
    return value.is_number_integer() && value.get<int64_t>() < (1 << 20) ? value.get<int>() : 0;
  };
  std::pair<int, int> image_px;
  if (size.is_number()) image_px = {side(size), side(size)};
  if (size.is_array() && size.size() >= 2) image_px = {side(size[size.size() - 2]), side(size[size.size() - 1])};
  if (image_px.first > 0 && image_px.second > 0) {
    stated->image_px = {image_px, kConfig};
  } else {
    stated->problems.push_back(
        absl::StrCat(kConfig, ": ", key, " is ", Shown(size), "; it should be a side or [height, width]"));
  }
}

void StatePixels(const json& object, const char* key, const char* where,
                 std::optional<Said<std::vector<double>>>* said) {
  if (said->has_value() || !object.contains(key) || !object[key].is_array() || object[key].empty()) return;
  std::vector<double> values;
  for (const json& value : object[key]) {
    if (value.is_number()) values.push_back(value.get<double>());
  }
  if (values.size() == object[key].size()) *said = {values, where};
}

// A number, or one for each side of a square, as some configs have for patches.
void StateSize(const json& object, const char* key, EncoderSize size, Stated* stated) {
  if (!object.contains(key) || object[key].is_null()) return;
  const json& sides = object[key];
  const bool square = sides.is_array() && sides.size() == 2 && sides[0] == sides[1];
  const json& number = square ? sides[0] : sides;
  if (number.is_number_integer() && number.get<int64_t>() >= 0 && number.get<int64_t>() < (1 << 20)) {
    stated->sizes.push_back({size, {number.get<int>(), absl::StrCat(kConfig, ": ", key)}});
  } else {
    stated->problems.push_back(absl::StrCat(kConfig, ": ", key, " is ", Shown(sides), "; it should be a whole number"));
  }
}

void ReadHuggingFace(const json& config, Stated* stated) {
  StateSize(config, "num_hidden_layers", EncoderSize::kBlocks, stated);
  StateSize(config, "hidden_size", EncoderSize::kWidth, stated);
  StateSize(config, "patch_size", EncoderSize::kPatchPx, stated);
  StateSize(config, "num_channels", EncoderSize::kChannels, stated);
  StateSize(config, "intermediate_size", EncoderSize::kMlpWidth, stated);
  StateSize(config, "num_register_tokens", EncoderSize::kRegisterTokens, stated);
  StateHeads(config, "num_attention_heads", stated);
  StateImage(config, "image_size", stated);
  if (config.contains("hidden_act") && config["hidden_act"].is_string()) {
    StateActivation(config["hidden_act"].get<std::string>(), kConfig, stated);
  }
  if (config.contains("layer_norm_eps")) {
    const json& epsilon = config["layer_norm_eps"];
    if (epsilon.is_number() && epsilon.get<double>() > 0) {
      stated->norm_epsilon = {epsilon.get<double>(), kConfig};
    } else {
      stated->problems.push_back(
          absl::StrCat(kConfig, ": layer_norm_eps is ", Shown(epsilon), "; it should be above 0"));
    }
  }
  if (config.contains("use_swiglu_ffn") && config["use_swiglu_ffn"] == true) {
    stated->problems.push_back("config.json: use_swiglu_ffn is true, and Mimeo's blocks have plain MLPs, not SwiGLU");
  }
}

void ReadTimm(const json& config, Stated* stated) {
  const json& arguments = Section(config, "model_args");
  const json& trained = Section(config, "pretrained_cfg");
  StateSize(arguments, "depth", EncoderSize::kBlocks, stated);
  StateSize(arguments, "embed_dim", EncoderSize::kWidth, stated);
  StateSize(arguments, "patch_size", EncoderSize::kPatchPx, stated);
  StateSize(arguments, "in_chans", EncoderSize::kChannels, stated);
  StateSize(arguments, "reg_tokens", EncoderSize::kRegisterTokens, stated);
  StateHeads(arguments, "num_heads", stated);
  StateImage(arguments, "img_size", stated);
  StateImage(trained, "input_size", stated);
  StatePixels(trained, "mean", kConfig, &stated->mean);
  StatePixels(trained, "std", kConfig, &stated->std);
  if (arguments.contains("act_layer") && arguments["act_layer"].is_string()) {
    StateActivation(arguments["act_layer"].get<std::string>(), kConfig, stated);
  }
  const auto architecture = config.find("architecture");
  if (architecture != config.end() && architecture->is_string() &&
      absl::StrContains(architecture->get<std::string>(), "vit_")) {
    const auto name = architecture->get<std::string>();
    StateActivation(absl::StrContains(name, "quickgelu") ? "quick_gelu" : "gelu", kConfig, stated);
    stated->norm_epsilon = {absl::StrContains(name, "_clip_") ? 1e-5 : 1e-6,
                            absl::StrCat(kConfig, "'s architecture ", name)};
  }
}

void ReadMetadata(const std::map<std::string, std::string>& metadata, Stated* stated) {
  const auto text = [&](const char* key) {
    const auto found = metadata.find(key);
    return found == metadata.end() ? std::string() : found->second;
  };
  const auto number = [&](const char* key, auto parse, auto value) {
    if (text(key).empty()) return std::optional<Said<decltype(value)>>();
    if (parse(text(key), &value) && value > 0) {
      return std::optional<Said<decltype(value)>>({value, absl::StrCat("metadata key `", key, "`")});
    }
    stated->problems.push_back(
        absl::StrCat("metadata key `", key, "` is \"", ToText(text(key), 100), "\"; it should be a number above 0"));
    return std::optional<Said<decltype(value)>>();
  };
  const auto integer = [](const std::string& digits, int* value) { return absl::SimpleAtoi(digits, value); };
  const auto real = [](const std::string& digits, double* value) { return absl::SimpleAtod(digits, value); };
  if (!stated->heads.has_value()) stated->heads = number("num_heads", integer, int{0});
  if (!stated->norm_epsilon.has_value()) stated->norm_epsilon = number("norm_epsilon", real, double{0});
  if (!text("activation").empty()) StateActivation(text("activation"), "metadata key `activation`", stated);
  const auto height = number("image_height_px", integer, int{0}), width = number("image_width_px", integer, int{0});
  if (!stated->image_px.has_value() && height.has_value() && width.has_value()) {
    stated->image_px = {{height->value, width->value}, "metadata"};
  }
}

void ReadJob(const std::map<std::string, std::string>& metadata, Stated* stated) {
  const auto text = metadata.find("job");
  JobSpec job;
  if (text == metadata.end()) return;
  const std::string where = "the job in the metadata";
  if (!google::protobuf::TextFormat::ParseFromString(text->second, &job)) {
    stated->problems.push_back("metadata key `job` is not the text of a job");
    return;
  }
  stated->job = {job, where};
  const VitSpec& vit = job.encoder().vit();
  const int heads = job.encoder().has_conv_vit() ? job.encoder().conv_vit().heads() : vit.heads();
  if (!stated->heads.has_value() && heads > 0) stated->heads = {heads, where};
  if (!stated->norm_epsilon.has_value() && vit.has_norm_epsilon()) stated->norm_epsilon = {vit.norm_epsilon(), where};
  if (!stated->activation.has_value() && vit.has_activation()) stated->activation = {vit.activation(), where};
  const DataSpec& data = job.data();
  if (!stated->image_px.has_value() && data.image_px() > 0) {
    stated->image_px = {{data.image_px(), data.has_image_width_px() ? data.image_width_px() : data.image_px()}, where};
  }
  if (!stated->mean.has_value() && data.pixel_mean_size() > 0 && data.pixel_std_size() > 0) {
    stated->mean = {{data.pixel_mean().begin(), data.pixel_mean().end()}, where};
    stated->std = {{data.pixel_std().begin(), data.pixel_std().end()}, where};
  }
}

}  // namespace

Stated ReadStated(const WeightsSurroundings& surroundings) {
  Stated stated;
  const json& config = surroundings.config;
  ReadHuggingFace(config.contains("vision_config") ? Section(config, "vision_config") : config, &stated);
  ReadTimm(config, &stated);
  StatePixels(surroundings.preprocessor, "image_mean", kPreprocessor, &stated.mean);
  StatePixels(surroundings.preprocessor, "image_std", kPreprocessor, &stated.std);
  ReadMetadata(surroundings.metadata, &stated);
  ReadJob(surroundings.metadata, &stated);
  return stated;
}

std::vector<std::string> CompareSizes(const Stated& stated, const std::map<EncoderSize, int>& read) {
  static const auto* const names =
      new std::map<EncoderSize, const char*>{{EncoderSize::kBlocks, "transformer blocks"},
                                             {EncoderSize::kWidth, "width"},
                                             {EncoderSize::kPatchPx, "px of a patch's side"},
                                             {EncoderSize::kChannels, "channels"},
                                             {EncoderSize::kMlpWidth, "rows of an MLP's first layer"},
                                             {EncoderSize::kRegisterTokens, "register tokens"}};
  std::vector<std::string> problems;
  for (const auto& [size, said] : stated.sizes) {
    const auto found = read.find(size);
    if (found == read.end() || found->second == said.value) continue;
    problems.push_back(absl::StrCat(said.where, " is ", said.value, ", but the tensors have ", found->second, " (",
                                    names->at(size),
                                    "): the file and its config.json are of two models, or tensors are missing"));
  }
  return problems;
}

}  // namespace mimeo
