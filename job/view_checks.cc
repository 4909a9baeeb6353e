#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "job/job_shape.h"
#include "job/problem_list.h"

namespace mimeo {
namespace {

void CheckCrop(const ViewSpec& views, const std::string& path, ProblemList* problems) {
  problems->InRange(path + "crop_scale_min", views.crop_scale_min(), 1e-4, 1.0);
  problems->InRange(path + "crop_scale_max", views.crop_scale_max(), 1e-4, 1.0);
  if (views.crop_scale_min() > views.crop_scale_max()) {
    problems->Add(path + "crop_scale_min", views.crop_scale_min(), " is above crop_scale_max ", views.crop_scale_max());
  }
  problems->InRange(path + "crop_ratio_min", views.crop_ratio_min(), 0.01, 100.0);
  problems->InRange(path + "crop_ratio_max", views.crop_ratio_max(), 0.01, 100.0);
  if (views.crop_ratio_min() > views.crop_ratio_max()) {
    problems->Add(path + "crop_ratio_min", views.crop_ratio_min(), " is above crop_ratio_max ", views.crop_ratio_max());
  }
  problems->InRange(path + "flip_probability", views.flip_probability(), 0.0, 1.0);
  if (views.interpolation() == INTERPOLATION_UNSPECIFIED) {
    problems->Add(path + "interpolation", "one of INTERPOLATION_BICUBIC, INTERPOLATION_BILINEAR");
  }
}

void CheckColor(const ViewSpec& views, const std::string& path, ProblemList* problems) {
  const ColorSpec& color = views.color();
  problems->InRange(path + "brightness", color.brightness(), 0.0, 100.0);
  problems->InRange(path + "contrast", color.contrast(), 0.0, 100.0);
  problems->InRange(path + "saturation", color.saturation(), 0.0, 100.0);
  problems->InRange(path + "hue", color.hue(), 0.0, 0.5);
  problems->InRange(path + "jitter_probability", color.jitter_probability(), 0.0, 1.0);
  problems->InRange(path + "grey_probability", color.grey_probability(), 0.0, 1.0);
  problems->InRange(path + "blur_probability", color.blur_probability(), 0.0, 1.0);
  problems->InRange(path + "blur_sigma_min", color.blur_sigma_min(), 1e-3, 1e3);
  problems->InRange(path + "blur_sigma_max", color.blur_sigma_max(), 1e-3, 1e3);
  if (color.blur_sigma_min() > color.blur_sigma_max()) {
    problems->Add(path + "blur_sigma_min", color.blur_sigma_min(), " is above blur_sigma_max ", color.blur_sigma_max());
  }
  // The blur mirrors the view at its edges, once.
  const int64_t most = int64_t{2} * std::min(views.image_px(), views.image_width_px()) - 1;
  const int kernel = color.blur_kernel_px();
  if (kernel < 1 || kernel % 2 == 0 || kernel > most) {
    problems->Add(path + "blur_kernel_px", kernel, " is not an odd number from 1 to ", most,
                  ", less than twice the view's shorter side");
  }
  problems->InRange(path + "solarize_probability", color.solarize_probability(), 0.0, 1.0);
  problems->InRange(path + "solarize_threshold", color.solarize_threshold(), 0, 256);
}

void CheckSize(const JobSpec& spec, const ViewSpec& views, const std::string& path, ProblemList* problems) {
  const bool fits = problems->InRange(path + "image_px", views.image_px(), 8, 4096) &&
                    problems->InRange(path + "image_width_px", views.image_width_px(), 8, 4096);
  if (!fits || IsFullSize(views, spec.data())) return;
  const int patch_px = spec.encoder().kind_case() == EncoderSpec::KIND_NOT_SET ? 0 : PatchPx(spec);
  for (const auto& [field, px] :
       {std::make_pair("image_px", views.image_px()), std::make_pair("image_width_px", views.image_width_px())}) {
    if (patch_px < 1 || px % patch_px == 0) continue;
    problems->Add(path + field, px, " is not a multiple of patches of ", patch_px,
                  " px; nearest that fit: ", NearestMultiples(px, patch_px));
  }
}

// What can be done with views that have another grid of patches.
void CheckSmallViews(const JobSpec& spec, const std::string& path, ProblemList* problems) {
  if (!spec.encoder().has_vit()) problems->Add(path, "views of another size than data.image_px go with encoder.vit");
  if (!spec.mask().has_none()) problems->Add(path, "views of another size than data.image_px go with mask { none {} }");
  for (const ObjectiveSpec& objective : spec.objective()) {
    if (!objective.has_reconstruction() && !objective.has_mimic()) continue;
    problems->Add(path, "views of another size than data.image_px have no patch for patch of objective[",
                  objective.name(), "]; they go with contrastive and self_distillation");
  }
}

}  // namespace

void CheckViews(const JobSpec& spec, ProblemList* problems) {
  const int num_groups = spec.views_size();
  if (num_groups > limits::kViews) return problems->Add("views", num_groups, " groups; at most ", limits::kViews);
  int64_t num_views = 0;
  bool counted = true;
  for (int i = 0; i < num_groups; ++i) {
    const ViewSpec& views = spec.views(i);
    const std::string path = num_groups == 1 ? "views." : absl::StrCat("views[", i, "].");
    counted &= problems->InRange(path + "count", views.count(), 1, limits::kViews);
    num_views += views.count();
    CheckCrop(views, path, problems);
    CheckSize(spec, views, path, problems);
    if (views.has_color()) CheckColor(views, path + "color.", problems);
    if (IsFullSize(views, spec.data())) continue;
    if (i == 0) {
      problems->Add(path + "image_px", "the first group is as large as data.image_px; put a smaller one after it");
    }
    CheckSmallViews(spec, path + "image_px", problems);
  }
  if (counted && num_views > limits::kViews) problems->Add("views", num_views, " in all; at most ", limits::kViews);
}

}  // namespace mimeo
