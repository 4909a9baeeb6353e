#include "model/weights/export_config.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "model/vit_encoder.h"
#include "model/weights.h"
#include "model/weights/export_rules.h"

namespace mimeo {
namespace {

using nlohmann::ordered_json;

const char* Name(Activation activation) { return activation == ACTIVATION_QUICK_GELU ? "quick_gelu" : "gelu"; }

ordered_json Numbers(const std::vector<float>& values) {
  ordered_json numbers = ordered_json::array();
  for (const float value : values) numbers.push_back(std::round(value * 1e8) / 1e8);
  return numbers;
}

ordered_json ImageSize(const DataSpec& data) {
  if (data.image_px() == data.image_width_px()) return data.image_px();
  return ordered_json{data.image_px(), data.image_width_px()};
}

// What transformers' configurations of ViTs have in common.
ordered_json HfConfig(const JobSpec& spec, const char* architecture, const char* model_type) {
  const VitSpec& vit = spec.encoder().vit();
  return {
      {"architectures", ordered_json::array({architecture})},
      {"model_type", model_type},
      {"hidden_size", vit.width()},
      {"num_hidden_layers", vit.depth()},
      {"num_attention_heads", vit.heads()},
      {"intermediate_size", MlpWidth(vit.width(), vit.mlp_ratio())},
      {"hidden_act", Name(vit.activation())},
      {"layer_norm_eps", vit.norm_epsilon()},
      {"image_size", ImageSize(spec.data())},
      {"patch_size", vit.patch_px()},
      {"num_channels", spec.data().channels()},
  };
}

void AddVitConfig(const VitSpec& vit, ordered_json* config) {
  (*config)["hidden_dropout_prob"] = 0.0;
  (*config)["attention_probs_dropout_prob"] = 0.0;
  (*config)["qkv_bias"] = vit.qkv_bias();
}

void AddMaeConfig(const JobSpec& spec, ordered_json* config) {
  const ReconstructionSpec& decoder = OnlyReconstruction(spec)->reconstruction();
  (*config)["decoder_hidden_size"] = decoder.decoder_width();
  (*config)["decoder_num_hidden_layers"] = decoder.decoder_depth();
  (*config)["decoder_num_attention_heads"] = decoder.decoder_heads();
  (*config)["decoder_intermediate_size"] = 4 * decoder.decoder_width();
  (*config)["mask_ratio"] = spec.mask().hidden_fraction();
  (*config)["norm_pix_loss"] = decoder.normalize_patches();
}

ordered_json Dinov2Config(const JobSpec& spec) {
  const VitSpec& vit = spec.encoder().vit();
  const bool registers = vit.register_tokens() > 0;
  ordered_json config = HfConfig(spec, registers ? "Dinov2WithRegistersModel" : "Dinov2Model",
                                 registers ? "dinov2_with_registers" : "dinov2");
  AddVitConfig(vit, &config);
  config.erase("intermediate_size");
  config["mlp_ratio"] = static_cast<int>(vit.mlp_ratio());  // transformers refuses 4.0
  config["layerscale_value"] = vit.layer_scale();
  config["use_swiglu_ffn"] = false;
  if (registers) config["num_register_tokens"] = vit.register_tokens();
  return config;
}

// timm's Hugging Face configuration: an architecture that has the right norms, changed by arguments.
ordered_json TimmConfig(const JobSpec& spec, bool no_embed_class) {
  const VitSpec& vit = spec.encoder().vit();
  const DataSpec& data = spec.data();
  const PixelStatistics statistics = ExportedStatistics(data);
  ordered_json arguments = {
      {"img_size", {data.image_px(), data.image_width_px()}},
      {"in_chans", data.channels()},
      {"patch_size", vit.patch_px()},
      {"embed_dim", vit.width()},
      {"depth", vit.depth()},
      {"num_heads", vit.heads()},
      {"mlp_ratio", vit.mlp_ratio()},
      {"qkv_bias", vit.qkv_bias()},
      {"class_token", vit.class_token()},
      {"reg_tokens", vit.register_tokens()},
      {"no_embed_class", no_embed_class},
      {"pre_norm", vit.pre_norm()},
      {"act_layer", Name(vit.activation())},
      {"global_pool", vit.class_token() ? "token" : "avg"},
      {"fc_norm", false},
  };
  if (vit.layer_scale() > 0) arguments["init_values"] = vit.layer_scale();
  return {
      {"architecture", vit.norm_epsilon() == 1e-5 ? "vit_base_patch16_clip_224" : "vit_base_patch16_224"},
      {"num_classes", 0},
      {"num_features", vit.width()},
      {"global_pool", arguments["global_pool"]},
      {"model_args", arguments},
      {"pretrained_cfg",
       {{"input_size", {data.channels(), data.image_px(), data.image_width_px()}},
        {"fixed_input_size", true},
        {"interpolation", "bicubic"},
        {"crop_pct", 0.875},
        {"crop_mode", "center"},
        {"mean", Numbers(statistics.mean)},
        {"std", Numbers(statistics.std)},
        {"num_classes", 0},
        {"first_conv", "patch_embed.proj"},
        {"classifier", "head"}}},
  };
}

}  // namespace

PixelStatistics ExportedStatistics(const DataSpec& data) {
  return data.pixel_mean_size() > 0 && data.pixel_std_size() > 0 ? StatisticsOf(data) : ImageNetStatistics();
}

std::string ConfigJson(WeightsLayout layout, const JobSpec& spec, bool no_embed_class, ExportedType type) {
  ordered_json config;
  switch (layout) {
    case WeightsLayout::kHfVit:
      config = HfConfig(spec, "ViTModel", "vit");
      AddVitConfig(spec.encoder().vit(), &config);
      break;
    case WeightsLayout::kHfVitMae:
      config = HfConfig(spec, "ViTMAEForPreTraining", "vit_mae");
      AddVitConfig(spec.encoder().vit(), &config);
      AddMaeConfig(spec, &config);
      break;
    case WeightsLayout::kHfDinov2:
      config = Dinov2Config(spec);
      break;
    case WeightsLayout::kHfClip:
      config = HfConfig(spec, "CLIPVisionModel", "clip_vision_model");
      break;
    case WeightsLayout::kTimm:
      config = TimmConfig(spec, no_embed_class);
      break;
    case WeightsLayout::kMae:
    case WeightsLayout::kDinov2:
    case WeightsLayout::kOpenAiClip:
    case WeightsLayout::kMcmae:
      return "";
  }
  if (layout != WeightsLayout::kTimm) config["torch_dtype"] = type == ExportedType::kBFloat16 ? "bfloat16" : "float32";
  return config.dump(2) + "\n";
}

std::string PreprocessorJson(const DataSpec& data) {
  const PixelStatistics statistics = ExportedStatistics(data);
  const int longer_px = std::max(data.image_px(), data.image_width_px());
  const ordered_json config = {
      {"image_processor_type", "BitImageProcessor"},
      {"do_convert_rgb", data.channels() == 3},
      {"do_resize", true},
      {"size", {{"shortest_edge", static_cast<int>(std::lround(longer_px * 256.0 / 224.0))}}},
      {"resample", 3},
      {"do_center_crop", true},
      {"crop_size", {{"height", data.image_px()}, {"width", data.image_width_px()}}},
      {"do_rescale", true},
      {"rescale_factor", 1.0 / 255.0},
      {"do_normalize", true},
      {"image_mean", Numbers(statistics.mean)},
      {"image_std", Numbers(statistics.std)},
  };
  return config.dump(2) + "\n";
}

}  // namespace mimeo
