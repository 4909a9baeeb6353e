#include "evaluation/reconstruction.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "data/augment.h"
#include "data/spread_sample.h"
#include "evaluation/crop_pass.h"
#include "job/job_shape.h"
#include "model/finite.h"
#include "model/mask_plan.h"
#include "model/patches.h"

namespace mimeo {
namespace {

constexpr int kGapPx = 4;
constexpr uint8_t kGrey = 128;

// The first reconstruction objective alone: the other heads take no part, and mimic heads would want their teachers.
absl::StatusOr<JobSpec> WithOneReconstruction(const JobSpec& spec) {
  JobSpec only = spec;
  only.clear_objective();
  for (const ObjectiveSpec& objective : spec.objective()) {
    if (!objective.has_reconstruction()) continue;
    *only.add_objective() = objective;
    return only;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("job \"", spec.name(), "\" has no reconstruction objective: nothing predicts pixels"));
}

absl::Status CopyInto(const NamedTensors& checkpoint, const Parameters& parameters) {
  std::vector<std::string> problems;
  for (const auto& [name, parameter] : parameters.all()) {
    const auto found = checkpoint.find(name);
    if (found == checkpoint.end()) {
      problems.push_back(absl::StrCat("missing key ", name));
    } else if (found->second.sizes() != parameter.sizes()) {
      problems.push_back(absl::StrCat("key ", name, " has shape [", absl::StrJoin(found->second.sizes(), ", "),
                                      "], should be [", absl::StrJoin(parameter.sizes(), ", "), "]"));
    } else if (const std::string not_finite = NotFinite(found->second); !not_finite.empty()) {
      problems.push_back(absl::StrCat("key ", name, " holds ", not_finite));
    } else {
      at::Tensor(parameter).copy_(found->second);
    }
  }
  if (problems.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("checkpoint: ", absl::StrJoin(problems, "\ncheckpoint: ")));
}

// Normalised floats (B, C, H, W) -> uint8.
at::Tensor ToBytes(const at::Tensor& images_BCHW, const PixelStatistics& statistics) {
  const auto per_channel = [](const std::vector<float>& values) {
    const auto channels = static_cast<int64_t>(values.size());
    return at::from_blob(const_cast<float*>(values.data()), {1, channels, 1, 1}, at::kFloat).clone();
  };
  const at::Tensor unit = images_BCHW * per_channel(statistics.std) + per_channel(statistics.mean);
  return (unit * 255).round().clamp(0, 255).to(at::kByte);
}

// Copies a uint8 image, RGB or grey, each pixel as scale x scale, to the columns of `picture` that start at `left`.
void Paste(const at::Tensor& image_CHW, int scale, int left, Pixels* picture) {
  const at::Tensor contiguous = image_CHW.expand({3, -1, -1}).contiguous();
  const auto* planes = contiguous.const_data_ptr<uint8_t>();
  const int height = static_cast<int>(image_CHW.size(1)), width = static_cast<int>(image_CHW.size(2));
  for (int y = 0; y < height * scale; ++y) {
    uint8_t* out = &picture->rgb[(static_cast<size_t>(y) * picture->width + left) * 3];
    for (int x = 0; x < width * scale; ++x) {
      for (int channel = 0; channel < 3; ++channel) *out++ = planes[(channel * height + y / scale) * width + x / scale];
    }
  }
}

Pixels SideBySide(const std::vector<at::Tensor>& panels_CHW, int panel_px) {
  const int height = static_cast<int>(panels_CHW[0].size(1)), width = static_cast<int>(panels_CHW[0].size(2));
  const int scale = (panel_px + width - 1) / width;
  const int count = static_cast<int>(panels_CHW.size());
  Pixels picture;
  picture.height = height * scale;
  picture.width = count * width * scale + (count - 1) * kGapPx;
  picture.rgb.assign(static_cast<size_t>(picture.width) * picture.height * 3, 255);
  for (int i = 0; i < count; ++i) Paste(panels_CHW[i], scale, i * (width * scale + kGapPx), &picture);
  return picture;
}

// Draws the images of a pass, one at a time.
class Pictures final : public CropUse {
 public:
  using Draw = std::function<absl::Status(int64_t sample, const Pixels& picture)>;
  Pictures(const Reconstructor& reconstructor, const DrawOptions& options, const Draw& draw)
      : reconstructor_(reconstructor), options_(options), draw_(draw) {}

  std::vector<CropShape> shapes() const override { return {CropShapeOf(reconstructor_.data())}; }
  absl::Status Use(const CropBatch& batch) override {
    const at::Tensor images_BCHW = batch.Of(shapes().front());
    const RandomKey key = RandomKey(options_.seed).Fold("reconstruct");
    for (size_t i = 0; i < batch.samples.size(); ++i) {
      const RandomKey of_sample = key.Fold(static_cast<uint64_t>(batch.samples[i]));
      const at::Tensor image_BCHW = images_BCHW.narrow(0, static_cast<int64_t>(i), 1);
      RETURN_IF_ERROR(draw_(batch.samples[i], reconstructor_.Draw(image_BCHW, {of_sample}, options_.panel_px).front()));
      ++drawn_;
    }
    return absl::OkStatus();
  }
  int64_t drawn() const { return drawn_; }

 private:
  const Reconstructor& reconstructor_;
  const DrawOptions& options_;
  const Draw& draw_;
  int64_t drawn_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Reconstructor>> Reconstructor::Create(const NamedTensors& checkpoint,
                                                                     const JobSpec& spec) {
  ASSIGN_OR_RETURN(const JobSpec only, WithOneReconstruction(spec));
  const at::NoGradGuard no_grad;
  std::unique_ptr<Reconstructor> reconstructor(new Reconstructor());
  Parameters* const parameters = &reconstructor->parameters_;
  reconstructor->data_ = only.data();
  reconstructor->mask_ = only.mask();
  if (only.mask().has_focused()) reconstructor->mask_.mutable_random();
  reconstructor->num_visible_ = NumVisible(only);
  reconstructor->statistics_ = StatisticsOf(only.data());
  reconstructor->encoder_ = MakeEncoder(only.encoder(), ImageShapeOf(only.data()), parameters);
  ASSIGN_OR_RETURN(reconstructor->objectives_, ObjectiveSum::Create(only, *reconstructor->encoder_, {}, parameters));
  RETURN_IF_ERROR(CopyInto(checkpoint, *parameters));
  return reconstructor;
}

at::Tensor Reconstructor::PredictPatches(const at::Tensor& images_BCHW, const MaskPlan& plan) const {
  at::Tensor predicted_BMP = objectives_->pixel_decoder()->Predict(encoder_->Encode(images_BCHW, plan), plan);
  const at::Tensor patches_BLP = Patchify(images_BCHW, encoder_->grid().patch_px);
  if (objectives_->normalizes_patches()) {
    const at::Tensor target_BMP = TakePatches(patches_BLP, plan.hidden_BM);
    const at::Tensor deviation = (target_BMP.var({-1}, /*correction=*/1, /*keepdim=*/true) + 1e-6).sqrt();
    predicted_BMP = predicted_BMP * deviation + target_BMP.mean(-1, /*keepdim=*/true);
  }
  const at::Tensor index_BMP = plan.hidden_BM.unsqueeze(-1).expand_as(predicted_BMP);
  return patches_BLP.scatter(1, index_BMP, predicted_BMP);
}

std::vector<Pixels> Reconstructor::Draw(const at::Tensor& images_BCHW, absl::Span<const RandomKey> keys,
                                        int panel_px) const {
  const at::NoGradGuard no_grad;
  const PatchGrid grid = encoder_->grid();
  const MaskPlan plan = DrawMaskPlans(mask_, grid, num_visible_, keys).front();
  const at::Tensor normalised_BCHW = NormalizePixels(images_BCHW, statistics_);
  const at::Tensor predicted_BCHW = ToBytes(Unpatchify(PredictPatches(normalised_BCHW, plan), grid), statistics_);
  const at::Tensor visible_BKP = TakePatches(Patchify(images_BCHW, grid.patch_px), plan.visible_BK);
  const at::Tensor grey_P = at::full({visible_BKP.size(2)}, kGrey, at::kByte);
  const at::Tensor masked_BCHW = Unpatchify(PlacePatches(visible_BKP, grey_P, plan), grid);
  std::vector<Pixels> pictures;
  for (int64_t i = 0; i < images_BCHW.size(0); ++i) {
    pictures.push_back(SideBySide({images_BCHW[i], masked_BCHW[i], predicted_BCHW[i]}, panel_px));
  }
  return pictures;
}

absl::StatusOr<std::vector<LeftOut>> DrawReconstructions(
    const Dataset& dataset, const Reconstructor& reconstructor, const DrawOptions& options,
    const std::function<absl::Status(int64_t sample, const Pixels& picture)>& draw) {
  Pictures pictures(reconstructor, options, draw);
  std::vector<LeftOut> left_out;
  std::vector<int64_t> untried = AllSamples(dataset);
  while (pictures.drawn() < options.count && !untried.empty()) {
    PassOptions pass;
    pass.samples = SpreadSample(dataset, untried, options.count - pictures.drawn());
    pass.max_pixels = reconstructor.data().max_pixels();
    ASSIGN_OR_RETURN(const std::vector<LeftOut> more, RunPass(dataset, pass, {&pictures}));
    left_out.insert(left_out.end(), more.begin(), more.end());
    std::vector<int64_t> rest;
    std::set_difference(untried.begin(), untried.end(), pass.samples->begin(), pass.samples->end(),
                        std::back_inserter(rest));
    untried = std::move(rest);
  }
  if (pictures.drawn() == 0) return NoneDecodes(dataset, left_out);
  return left_out;
}

}  // namespace mimeo
