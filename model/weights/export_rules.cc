#include "model/weights/export_rules.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/weights.h"

namespace mimeo {
namespace {

class Reasons {
 public:
  void Need(bool holds, const std::string& reason) {
    if (!holds) list_.push_back(reason);
  }
  std::vector<std::string> Take() { return std::move(list_); }

 private:
  std::vector<std::string> list_;
};

// MAE's, DINO's and transformers' ViT.
void NeedPlainVit(const VitSpec& vit, Reasons* reasons) {
  reasons->Need(vit.class_token(), "encoder.vit.class_token is false, and its ViTs have one");
  reasons->Need(!vit.pre_norm(), "encoder.vit.pre_norm is true, and its ViTs have no such norm");
  reasons->Need(vit.patch_bias(), "encoder.vit.patch_bias is false, and its patch embedding has one");
  reasons->Need(vit.layer_scale() == 0, "encoder.vit.layer_scale is above 0, and its blocks have none");
  reasons->Need(vit.register_tokens() == 0, "encoder.vit.register_tokens is above 0, and its ViTs have none");
}

void NeedMae(const VitSpec& vit, Reasons* reasons) {
  NeedPlainVit(vit, reasons);
  reasons->Need(vit.qkv_bias(), "encoder.vit.qkv_bias is false, and its attention has one");
  reasons->Need(vit.activation() == ACTIVATION_GELU,
                "encoder.vit.activation is not ACTIVATION_GELU, which its blocks have");
  reasons->Need(vit.norm_epsilon() == 1e-6, "encoder.vit.norm_epsilon is not 1e-6, which its norms have");
}

void NeedSquare(const DataSpec& data, Reasons* reasons) {
  reasons->Need(data.image_px() == data.image_width_px(),
                "data.image_width_px is not data.image_px, and its images are squares");
}

void NeedClip(const VitSpec& vit, Reasons* reasons) {
  reasons->Need(vit.class_token(), "encoder.vit.class_token is false, and CLIP's ViTs have one");
  reasons->Need(vit.pre_norm(), "encoder.vit.pre_norm is false, and CLIP's ViTs have such a norm");
  reasons->Need(!vit.patch_bias(), "encoder.vit.patch_bias is true, and CLIP's patch embedding has none");
  reasons->Need(vit.qkv_bias(), "encoder.vit.qkv_bias is false, and CLIP's attention has one");
  reasons->Need(vit.layer_scale() == 0, "encoder.vit.layer_scale is above 0, and CLIP's blocks have none");
  reasons->Need(vit.register_tokens() == 0, "encoder.vit.register_tokens is above 0, and CLIP's ViTs have none");
}

void NeedDinov2(const VitSpec& vit, Reasons* reasons) {
  reasons->Need(vit.class_token(), "encoder.vit.class_token is false, and DINOv2's ViTs have one");
  reasons->Need(!vit.pre_norm(), "encoder.vit.pre_norm is true, and DINOv2's ViTs have no such norm");
  reasons->Need(vit.patch_bias(), "encoder.vit.patch_bias is false, and DINOv2's patch embedding has one");
  reasons->Need(vit.layer_scale() > 0, "encoder.vit.layer_scale is 0, and DINOv2's blocks have one");
}

void NeedTimm(const VitSpec& vit, Reasons* reasons) {
  reasons->Need(
      vit.patch_bias() != vit.pre_norm(),
      "encoder.vit.patch_bias and encoder.vit.pre_norm are the same, and timm's patch embedding has a bias where there "
      "is no such norm");
  reasons->Need(vit.norm_epsilon() == 1e-6 || vit.norm_epsilon() == 1e-5,
                "encoder.vit.norm_epsilon is neither 1e-6 nor 1e-5, and timm's configuration cannot say another");
}

void NeedVit(WeightsLayout layout, const JobSpec& spec, Reasons* reasons) {
  const VitSpec& vit = spec.encoder().vit();
  switch (layout) {
    case WeightsLayout::kHfVit:
      return NeedPlainVit(vit, reasons);
    case WeightsLayout::kHfVitMae:
      NeedPlainVit(vit, reasons);
      NeedSquare(spec.data(), reasons);
      return reasons->Need(OnlyReconstruction(spec) != nullptr,
                           "its decoder is that of the one reconstruction objective that is not linear, of which the "
                           "job has none or several");
    case WeightsLayout::kHfDinov2:
      NeedDinov2(vit, reasons);
      NeedSquare(spec.data(), reasons);
      return reasons->Need(vit.mlp_ratio() == static_cast<int>(vit.mlp_ratio()),
                           "encoder.vit.mlp_ratio is no whole number, which its configuration needs");
    case WeightsLayout::kDinov2:
      NeedDinov2(vit, reasons);
      NeedSquare(spec.data(), reasons);
      reasons->Need(vit.activation() == ACTIVATION_GELU,
                    "encoder.vit.activation is not ACTIVATION_GELU, which its blocks have");
      return reasons->Need(vit.norm_epsilon() == 1e-6, "encoder.vit.norm_epsilon is not 1e-6, which its norms have");
    case WeightsLayout::kHfClip:
      NeedSquare(spec.data(), reasons);
      return NeedClip(vit, reasons);
    case WeightsLayout::kOpenAiClip:
      NeedClip(vit, reasons);
      NeedSquare(spec.data(), reasons);
      reasons->Need(vit.width() == 64 * vit.heads(), "encoder.vit.heads is not width / 64, which its ViTs have");
      reasons->Need(vit.activation() == ACTIVATION_QUICK_GELU,
                    "encoder.vit.activation is not ACTIVATION_QUICK_GELU, which its blocks have");
      return reasons->Need(vit.norm_epsilon() == 1e-5, "encoder.vit.norm_epsilon is not 1e-5, which its norms have");
    case WeightsLayout::kTimm:
      return NeedTimm(vit, reasons);
    case WeightsLayout::kMae:
      NeedSquare(spec.data(), reasons);
      return NeedMae(vit, reasons);
    case WeightsLayout::kMcmae:
      return reasons->Need(false, "encoder is a ViT, and its encoders are conv_vit");
  }
}

}  // namespace

const std::vector<std::string>& WeightsLayoutNames() {
  static const auto* const names = new std::vector<std::string>{
      "hf-vit", "hf-vit-mae", "hf-dinov2", "hf-clip", "timm", "mae", "dinov2", "openai-clip", "mcmae"};
  return *names;
}

absl::StatusOr<WeightsLayout> ParseWeightsLayout(const std::string& name, const EncoderSpec& spec) {
  const std::vector<std::string>& names = WeightsLayoutNames();
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<WeightsLayout>(i);
  }
  if (name != "hf") {
    return absl::InvalidArgumentError(
        absl::StrCat("no layout is called \"", name, "\"; there are hf, ", absl::StrJoin(names, ", ")));
  }
  JobSpec square;
  *square.mutable_encoder() = spec;
  for (const WeightsLayout layout : {WeightsLayout::kHfDinov2, WeightsLayout::kHfClip}) {
    if (WhyNotExported(layout, square).empty()) return layout;
  }
  return WeightsLayout::kHfVit;
}

std::vector<std::string> WhyNotExported(WeightsLayout layout, const JobSpec& spec) {
  Reasons reasons;
  if (spec.encoder().has_vit()) {
    NeedVit(layout, spec, &reasons);
  } else {
    reasons.Need(layout == WeightsLayout::kMcmae, "encoder is a conv_vit, which only mcmae and safetensors hold");
  }
  return reasons.Take();
}

Layout ExportedNames(WeightsLayout layout) {
  const std::string& family = WeightsLayoutNames()[static_cast<size_t>(layout)];
  switch (layout) {
    case WeightsLayout::kHfVit:
    case WeightsLayout::kHfVitMae:
      return {family, Naming::kHfVit, "vit."};
    case WeightsLayout::kHfDinov2:
      return {family, Naming::kHfDinov2, ""};
    case WeightsLayout::kHfClip:
      return {family, Naming::kHfClip, "vision_model."};
    case WeightsLayout::kDinov2:
      return {family, Naming::kDinov2, ""};
    case WeightsLayout::kOpenAiClip:
      return {family, Naming::kOpenAiClip, "visual."};
    case WeightsLayout::kMcmae:
      return {family, Naming::kMcmae, ""};
    case WeightsLayout::kTimm:
    case WeightsLayout::kMae:
      break;
  }
  return {family, Naming::kTimm, ""};
}

const ObjectiveSpec* OnlyReconstruction(const JobSpec& spec) {
  const ObjectiveSpec* only = nullptr;
  for (const ObjectiveSpec& objective : spec.objective()) {
    if (!objective.has_reconstruction()) continue;
    if (only != nullptr) return nullptr;
    only = &objective;
  }
  return only != nullptr && only->reconstruction().linear() ? nullptr : only;
}

}  // namespace mimeo
