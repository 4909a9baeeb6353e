#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "job/job_shape.h"
#include "job/problem_list.h"

namespace mimeo {
namespace {

void CheckVit(const VitSpec& vit, ProblemList* problems) {
  CheckTransformer("encoder.vit.", {"width", "depth", "heads"}, vit.width(), vit.depth(), vit.heads(), problems);
  problems->InRange("encoder.vit.mlp_ratio", vit.mlp_ratio(), 0.01, 64.0);
  problems->InRange("encoder.vit.patch_px", vit.patch_px(), 1, 1024);
  problems->InRange("encoder.vit.drop_path", vit.drop_path(), 0.0, 0.99);
  problems->InRange("encoder.vit.norm_epsilon", vit.norm_epsilon(), 1e-12, 1e-2);
  problems->InRange("encoder.vit.layer_scale", vit.layer_scale(), 0.0, 1e3);
  problems->InRange("encoder.vit.register_tokens", vit.register_tokens(), 0, 64);
  problems->InRange("encoder.vit.position_offset", vit.position_offset(), 0.0, 0.99);
  if (vit.positions() == POSITIONS_UNSPECIFIED) {
    problems->Add("encoder.vit.positions", "one of POSITIONS_SINE_COSINE, POSITIONS_LEARNED");
  }
  if (vit.activation() == ACTIVATION_UNSPECIFIED) {
    problems->Add("encoder.vit.activation", "one of ACTIVATION_GELU, ACTIVATION_QUICK_GELU");
  }
}

void CheckConvVit(const ConvVitSpec& conv, ProblemList* problems) {
  CheckTransformer("encoder.conv_vit.", {"width", "depth", "heads"}, conv.width(), conv.depth(), conv.heads(),
                   problems);
  problems->InRange("encoder.conv_vit.mlp_ratio", conv.mlp_ratio(), 0.01, 64.0);
  problems->InRange("encoder.conv_vit.stem_px", conv.stem_px(), 1, 256);
  problems->InRange("encoder.conv_vit.drop_path", conv.drop_path(), 0.0, 0.99);
  if (conv.stages() == STAGES_UNSPECIFIED) {
    problems->Add("encoder.conv_vit.stages", "one of STAGES_DENSE, STAGES_AT_VISIBLE_TILES");
  }
  for (const auto& [field, sizes] :
       {std::make_pair("stage_width", conv.stage_width()), std::make_pair("stage_depth", conv.stage_depth())}) {
    const std::string path = absl::StrCat("encoder.conv_vit.", field);
    if (sizes.size() != 2) problems->Add(path, "given ", sizes.size(), " times; there are two convolution stages");
    for (const int size : sizes) problems->InRange(path, size, 1, 65536);
  }
}

void CheckInit(const JobSpec& spec, ProblemList* problems) {
  if (spec.init() == INITIAL_WEIGHTS_UNSPECIFIED) {
    problems->Add("init",
                  "one of INITIAL_WEIGHTS_MAE, INITIAL_WEIGHTS_DINO, INITIAL_WEIGHTS_MOCO_V3, INITIAL_WEIGHTS_SIMMIM");
  } else if (spec.init() != INITIAL_WEIGHTS_MAE && !spec.encoder().has_vit()) {
    problems->Add("init", InitialWeights_Name(spec.init()), " goes with encoder.vit; leave it out");
  }
}

// Whether the patches tile the image, so that there is a grid.
bool CheckTiling(const JobSpec& spec, ProblemList* problems) {
  const int patch_px = PatchPx(spec);
  if (patch_px < 1) return false;
  const bool conv = spec.encoder().has_conv_vit();
  const std::string what = conv ? "encoder.conv_vit.stem_px" : "encoder.vit.patch_px";
  const std::string size =
      conv ? absl::StrCat(" makes patches of ", patch_px, " px, which do not tile ") : " does not divide ";
  bool tiles = true;
  for (const auto& [field, px] : {std::make_pair("data.image_px", spec.data().image_px()),
                                  std::make_pair("data.image_width_px", spec.data().image_width_px())}) {
    if (px < 8 || px % patch_px == 0 || !tiles) continue;
    tiles = false;
    problems->Add(what, conv ? spec.encoder().conv_vit().stem_px() : patch_px, size, field, " ", px,
                  "; nearest image sizes that fit: ", NearestMultiples(px, patch_px));
  }
  return tiles && spec.data().image_px() >= 8 && spec.data().image_width_px() >= 8;
}

bool HasGrid(const JobSpec& spec) {
  ProblemList ignored;
  return spec.encoder().kind_case() != EncoderSpec::KIND_NOT_SET && CheckTiling(spec, &ignored);
}

void CheckGridMask(const JobSpec& spec, ProblemList* problems) {
  const double hidden = spec.mask().hidden_fraction();
  const int stride = GridStride(spec);
  const int unit = spec.mask().unit_patches();
  if (stride < 2 || std::abs(1 - hidden - 1.0 / stride / stride) > 1e-9) {
    problems->Add("mask.hidden_fraction", hidden,
                  " is not 1 - 1/s^2: a grid keeps one of every s x s patches; e.g. 0.75 (s = 2)");
  } else if (PatchRows(spec) / unit % stride != 0 || PatchCols(spec) / unit % stride != 0) {
    problems->Add("mask.grid", PatchRows(spec), " x ", PatchCols(spec), " patches in units of ", unit,
                  " are not tiled by squares of ", stride);
  }
}

void CheckGroups(const JobSpec& spec, int visible, ProblemList* problems) {
  const MaskSpec& mask = spec.mask();
  if (!problems->InRange("mask.groups", mask.groups(), 1, 64) || mask.groups() == 1) return;
  if (!mask.has_random()) problems->Add("mask.groups", mask.groups(), " complementary masks go with mask.random only");
  const int most = NumPatches(spec) / visible;
  if (mask.groups() > most) {
    problems->Add("mask.groups", mask.groups(), " disjoint masks of ", visible, " of ", NumPatches(spec),
                  " patches cannot be; at most ", most);
  }
}

}  // namespace

void CheckEncoder(const JobSpec& spec, ProblemList* problems) {
  switch (spec.encoder().kind_case()) {
    case EncoderSpec::kVit:
      CheckVit(spec.encoder().vit(), problems);
      break;
    case EncoderSpec::kConvVit:
      CheckConvVit(spec.encoder().conv_vit(), problems);
      break;
    case EncoderSpec::KIND_NOT_SET:
      problems->Add("encoder", "missing; e.g. encoder { vit { width: 768 depth: 12 heads: 12 } }");
      return;
  }
  CheckInit(spec, problems);
  if (spec.encoder().vit().mask_token() && spec.mask().has_none()) {
    problems->Add("encoder.vit.mask_token",
                  "stands for hidden patches, and nothing is hidden (mask.none); leave it out");
  }
  CheckTiling(spec, problems);
}

void CheckMask(const JobSpec& spec, ProblemList* problems) {
  const MaskSpec& mask = spec.mask();
  const double hidden = mask.hidden_fraction();
  if (mask.has_none()) {
    if (hidden != 0) problems->Add("mask.hidden_fraction", hidden, " with mask.none; leave it out");
    return;
  }
  if (mask.has_block()) {
    problems->InRange("mask.block.min_patches", mask.block().min_patches(), 1, 1 << 20);
    problems->InRange("mask.block.min_aspect", mask.block().min_aspect(), 0.01, 1.0);
  }
  if (mask.has_focused() && !IsName(mask.focused().teacher(), false)) {
    problems->Add("mask.focused.teacher", "\"", mask.focused().teacher(),
                  "\" is not a teacher's name, [A-Za-z0-9_.-]{1,64}");
  }
  if (!(hidden > 0 && hidden < 1)) {
    problems->Add("mask.hidden_fraction", hidden, " is not between 0 and 1 (both excluded)");
    return;
  }
  if (!HasGrid(spec) || !problems->InRange("mask.unit_patches", mask.unit_patches(), 1, 1024)) return;
  const int unit = mask.unit_patches();
  if (PatchRows(spec) % unit != 0 || PatchCols(spec) % unit != 0) {
    problems->Add("mask.unit_patches", unit, " does not divide the grid of ", PatchRows(spec), " x ", PatchCols(spec),
                  " patches");
    return;
  }
  if (mask.has_focused() && unit > 1) {
    problems->Add("mask.unit_patches", unit, " with mask.focused, which draws single patches");
  }
  const int patches = NumPatches(spec), visible = NumVisible(spec);
  if (visible < 1 || visible >= patches) {
    problems->Add("mask.hidden_fraction", hidden, " of ", patches, " patches leaves ", visible,
                  " visible; at least 1 visible and 1 hidden");
    return;
  }
  if (mask.has_grid()) CheckGridMask(spec, problems);
  CheckGroups(spec, visible, problems);
}

}  // namespace mimeo
