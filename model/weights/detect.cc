#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/weights/layout.h"

namespace mimeo {
namespace {

bool Any(const std::vector<std::string>& keys, absl::string_view prefix, absl::string_view part) {
  return std::any_of(keys.begin(), keys.end(), [&](const std::string& key) {
    return absl::StartsWith(key, prefix) && absl::StrContains(key, part);
  });
}

// Families that share the name of the patch embedding, told apart by their other keys.
void TellApart(const std::vector<std::string>& keys, Layout* layout) {
  if (layout->family == "timm" && Any(keys, "decoder_", "")) {
    layout->family = "mae";
  } else if (layout->family == "timm" &&
             (Any(keys, "register_tokens", "") || (Any(keys, "mask_token", "") && Any(keys, "blocks.", ".ls1.")))) {
    layout->family = "dinov2", layout->naming = Naming::kDinov2;
  } else if (layout->family == "hf-vit" && Any(keys, layout->prefix + "encoder.layer.", ".layer_scale1.")) {
    layout->family = "hf-dinov2", layout->naming = Naming::kHfDinov2;
  } else if (layout->family == "hf-vit" && layout->prefix == "vit." && Any(keys, "decoder.", "")) {
    layout->family = "hf-vit-mae";
  }
}

}  // namespace

const std::vector<Layout>& KnownLayouts() {
  static const auto* const known = new std::vector<Layout>{
      {"mimeo", Naming::kTimm, "encoder."},
      {"mimeo", Naming::kMcmae, "encoder."},
      {"timm", Naming::kTimm, ""},
      {"mcmae", Naming::kMcmae, ""},
      {"hf-vit", Naming::kHfVit, "vit."},
      {"hf-vit", Naming::kHfVit, ""},
      {"hf-vit", Naming::kHfVit, "dinov2."},
      {"hf-vit", Naming::kHfVit, "dinov2_with_registers."},
      {"openai-clip", Naming::kOpenAiClip, "visual."},
      {"hf-clip", Naming::kHfClip, "vision_model."},
  };
  return *known;
}

absl::StatusOr<Layout> DetectLayout(const std::vector<std::string>& keys) {
  std::vector<std::string> absent;
  for (Layout layout : KnownLayouts()) {
    const std::string probe = layout.PatchWeight();
    if (std::find(keys.begin(), keys.end(), probe) != keys.end()) {
      TellApart(keys, &layout);
      return layout;
    }
    absent.push_back(probe);
  }
  const std::vector<std::string> first(keys.begin(), keys.begin() + std::min<size_t>(keys.size(), 8));
  return absl::InvalidArgumentError(absl::StrCat(
      "no encoder of a known family (mimeo, timm, dinov2, mae, mcmae, hf-vit, hf-vit-mae, hf-dinov2, openai-clip, "
      "hf-clip): it has "
      "none of ",
      absl::StrJoin(absent, ", "), "; its ", keys.size(), " keys begin with ", absl::StrJoin(first, ", ")));
}

}  // namespace mimeo
