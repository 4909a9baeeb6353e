#include "model/weights/description.h"

#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/vit_encoder.h"
#include "model/weights/shapes_of.h"

namespace mimeo {
namespace {

// What is known of a family beside its names.
double UsualEpsilon(const Layout& layout, bool pre_norm) {
  if (pre_norm) return 1e-5;                              // CLIP: torch's default
  return layout.naming == Naming::kHfVit ? 1e-12 : 1e-6;  // transformers' ViTConfig; timm, MAE, DINO, DINOv2
}

int UsualHeads(int width) {
  constexpr std::pair<int, int> kUnusual[] = {{1280, 16}, {1408, 16}};  // ViT-H, ViT-g
  for (const auto& [usual_width, heads] : kUnusual) {
    if (width == usual_width) return heads;
  }
  return width / 64;
}

// facebook/dino-* on Hugging Face, whose files are plain ViTs: only their name tells.
bool IsNamedDino(const WeightsFile& weights) {
  std::string name = weights.path;
  const nlohmann::json& config = weights.surroundings.config;
  if (config.contains("_name_or_path") && config["_name_or_path"].is_string()) {
    name += config["_name_or_path"].get<std::string>();
  }
  const std::string lower = absl::AsciiStrToLower(name);
  return weights.layout.family == "hf-vit" &&
         (absl::StrContains(lower, "dino-vit") || absl::StrContains(lower, "dino_vit"));
}

std::string Name(Activation activation) { return activation == ACTIVATION_QUICK_GELU ? "quick_gelu" : "gelu"; }

class Describer {
 public:
  Describer(const WeightsFile& weights, Description* description)
      : weights_(weights),
        stated_(ReadStated(weights.surroundings)),
        description_(description),
        problems_(stated_.problems) {}

  std::vector<std::string> Run() {
    description_->notes = weights_.notes;
    ReadShapes(weights_, stated_, &description_->spec, &description_->image, &description_->notes, &problems_);
    if (!problems_.empty()) return problems_;
    CompareStatedSizes();
    NoteEncoder();
    if (description_->spec.has_vit()) DecideVit(description_->spec.mutable_vit());
    DecideHeads();
    DecideStatistics();
    return problems_;
  }

 private:
  void Note(const std::string& what) { description_->notes.push_back(what); }

  void CompareStatedSizes() {
    if (!description_->spec.has_vit()) return;
    const VitSpec& vit = description_->spec.vit();
    const std::map<EncoderSize, int> read = {{EncoderSize::kBlocks, vit.depth()},
                                             {EncoderSize::kWidth, vit.width()},
                                             {EncoderSize::kPatchPx, vit.patch_px()},
                                             {EncoderSize::kChannels, description_->image.channels},
                                             {EncoderSize::kMlpWidth, MlpWidth(vit.width(), vit.mlp_ratio())},
                                             {EncoderSize::kRegisterTokens, vit.register_tokens()}};
    const std::vector<std::string> problems = CompareSizes(stated_, read);
    problems_.insert(problems_.end(), problems.begin(), problems.end());
  }

  void NoteEncoder() {
    const ImageShape& image = description_->image;
    Note(absl::StrCat("image: ", image.channels, " channels, ", image.height_px, " x ", image.width_px,
                      " px (height x width)"));
    if (!description_->spec.has_vit()) return;
    const VitSpec& vit = description_->spec.vit();
    Note(absl::StrCat("patch: ", vit.patch_px(), " px"));
    Note(absl::StrCat("positions: ", vit.positions() == POSITIONS_LEARNED ? "learned" : "sine-cosine"));
  }

  void DecideVit(VitSpec* vit) {
    description_->activation_stated = stated_.activation.has_value();
    const Activation usual = weights_.layout.HasFlatTokens() ? ACTIVATION_QUICK_GELU : ACTIVATION_GELU;
    vit->set_activation(stated_.activation.has_value() ? stated_.activation->value : usual);
    const std::string openai = weights_.layout.naming == Naming::kTimm && vit->pre_norm()
                                   ? "; OpenAI's CLIP weights need quick_gelu: state it in metadata key `activation`"
                                   : "";
    Note(absl::StrCat(
        "activation: ", Name(vit->activation()), ", ",
        stated_.activation.has_value() ? "from " + stated_.activation->where : "assumed for the family" + openai));
    DecideEpsilon(vit);
  }

  void DecideEpsilon(VitSpec* vit) {
    if (!stated_.norm_epsilon.has_value()) {
      vit->set_norm_epsilon(UsualEpsilon(weights_.layout, vit->pre_norm()));
      Note(absl::StrCat("norm epsilon: ", vit->norm_epsilon(), ", assumed for the family"));
      return;
    }
    vit->set_norm_epsilon(stated_.norm_epsilon->value);
    std::string reason = "from " + stated_.norm_epsilon->where;
    if (vit->norm_epsilon() == 1e-12 && weights_.layout.family == "hf-vit") {
      if (IsNamedDino(weights_)) {
        vit->set_norm_epsilon(1e-6);
        reason = "DINO's own; config.json says 1e-12, a known mistake of the facebook/dino-* files";
      } else {
        absl::StrAppend(
            &reason, "; if this is one of facebook/dino-*, 1e-6 is right: let its folder's name have dino-vit in it");
      }
    }
    Note(absl::StrCat("norm epsilon: ", vit->norm_epsilon(), ", ", reason));
  }

  void DecideHeads() {
    const bool plain = description_->spec.has_vit();
    const int width = plain ? description_->spec.vit().width() : description_->spec.conv_vit().width();
    description_->heads_stated = stated_.heads.has_value();
    const int heads = stated_.heads.has_value() ? stated_.heads->value : UsualHeads(width);
    if (heads <= 0 || width % heads != 0) {
      problems_.push_back(absl::StrCat(
          "width ", width, " is not a multiple of ", heads, " heads",
          stated_.heads.has_value() ? "" : ", the usual number: state theirs in metadata key `num_heads`"));
      return;
    }
    plain ? description_->spec.mutable_vit()->set_heads(heads)
          : description_->spec.mutable_conv_vit()->set_heads(heads);
    Note(absl::StrCat("heads: ", heads, ", ",
                      stated_.heads.has_value() ? "from " + stated_.heads->where : "assumed from the width"));
  }

  void DecideStatistics() {
    const auto channels = static_cast<size_t>(description_->image.channels);
    PixelStatistics& pixels = description_->statistics;
    const bool clip =
        weights_.layout.HasFlatTokens() || (weights_.layout.family == "timm" && description_->spec.vit().pre_norm());
    pixels = clip ? ClipStatistics() : ImageNetStatistics();
    std::string reason = clip ? "CLIP's, assumed for the family" : "ImageNet's, assumed for the family";
    if (channels != 3) {
      pixels = {std::vector<float>(channels, 0.449f), std::vector<float>(channels, 0.226f)};
      reason = "ImageNet's means over channels, assumed";
    }
    if (stated_.mean.has_value() && stated_.std.has_value()) ReadPixels(channels, &reason);
    Note(absl::StrCat("pixels: mean [", absl::StrJoin(pixels.mean, ", "), "], std [", absl::StrJoin(pixels.std, ", "),
                      "], ", reason));
  }

  void ReadPixels(size_t channels, std::string* reason) {
    const std::vector<double>&mean = stated_.mean->value, &std = stated_.std->value;
    const std::vector<double> half(3, 0.5);
    if (IsNamedDino(weights_) && mean == half && std == half) {
      *reason =
          "ImageNet's, DINO's own; preprocessor_config.json says 0.5, a known mistake of the facebook/dino-* files";
    } else if (mean.size() != channels || std.size() != channels) {
      problems_.push_back(absl::StrCat(stated_.mean->where, ": mean and std of ", mean.size(), " and ", std.size(),
                                       " channels; it has ", channels));
    } else {
      description_->statistics = {{mean.begin(), mean.end()}, {std.begin(), std.end()}};
      *reason = "from " + stated_.mean->where;
    }
    for (const double value : std) {
      if (!(value > 0)) {
        problems_.push_back(absl::StrCat(stated_.std->where, ": a std of ", value, "; it should be above 0"));
      }
    }
  }

  const WeightsFile& weights_;
  const Stated stated_;
  Description* description_;
  std::vector<std::string> problems_;
};

}  // namespace

absl::StatusOr<Description> Describe(const WeightsFile& weights) {
  Description description;
  const std::vector<std::string> problems = Describer(weights, &description).Run();
  if (!problems.empty()) return RefuseWeights(weights, problems);
  return description;
}

VitParts PartsOf(const VitSpec& spec) {
  VitParts parts;
  parts.depth = spec.depth();
  parts.class_token = spec.class_token(), parts.registers = spec.register_tokens() > 0;
  parts.pre_norm = spec.pre_norm(), parts.patch_bias = spec.patch_bias(), parts.qkv_bias = spec.qkv_bias();
  parts.layer_scale = spec.layer_scale() > 0;
  return parts;
}

PixelStatistics ClipStatistics() {
  return {{0.48145466f, 0.4578275f, 0.40821073f}, {0.26862954f, 0.26130258f, 0.27577711f}};
}

}  // namespace mimeo
