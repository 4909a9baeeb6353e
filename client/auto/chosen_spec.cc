#include "client/auto/chosen_spec.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"

namespace mimeo {
namespace {

constexpr double kAllGrey = 0.995;  // a share of grey photos: of more, one colour photo is an accident
constexpr double kHidden = 0.75;    // of the patches: MAE, section 4.1; docs/benchmarks/methods.md for mimicking
constexpr double kMaxGradNorm = 3;  // tests/methods, for all methods
constexpr double kWeightDecay = 0.05;
constexpr int64_t kBadPhotosLeast = 100;      // that a job bears: job.proto's default
constexpr double kSecondsPerCheckpoint = 60;  // what Ctrl-C twice, or a power cut, loses
constexpr int kLoaderThreadsMost = 16;        // of a rank on a GPU, which is as fast as its photos come

// SimCLR's changes of colour at half strength, without blur: tests/methods/simclr.textproto. Grey photos have no colour
// to change.
void AddViews(bool grey, JobSpec* spec) {
  ViewSpec* const views = spec->add_views();
  views->set_count(2);
  ColorSpec* const color = views->mutable_color();
  color->set_brightness(0.4);
  color->set_contrast(0.4);
  color->set_jitter_probability(0.8);
  if (grey) return;
  color->set_saturation(0.4);
  color->set_hue(0.1);
  color->set_grey_probability(0.2);
}

void AddSimClr(const Size& size, bool grey, JobSpec* spec) {
  AddViews(grey, spec);
  spec->mutable_mask()->mutable_none();
  ObjectiveSpec* const objective = spec->add_objective();
  objective->set_name("contrast");
  ContrastiveSpec* const contrast = objective->mutable_contrastive();
  contrast->mutable_info_nce()->set_temperature(0.2);
  contrast->mutable_projector()->add_hidden_width(size.width >= 384 ? 2048 : 1024);
  contrast->mutable_projector()->set_width(128);
}

void AddMae(const Size& size, JobSpec* spec) {
  spec->mutable_mask()->set_hidden_fraction(kHidden);
  ObjectiveSpec* const objective = spec->add_objective();
  objective->set_name("pixels");
  ReconstructionSpec* const pixels = objective->mutable_reconstruction();
  // Half as wide as the encoder, and two blocks: docs/benchmarks/methods.md has four no better than two.
  const int heads = std::max(1, size.width / 128);
  pixels->set_decoder_width(std::max(32, size.width / 2 / (4 * heads) * (4 * heads)));
  pixels->set_decoder_depth(2);
  pixels->set_decoder_heads(heads);
}

void AddMimic(const WeightsDescription& teacher, JobSpec* spec) {
  spec->mutable_mask()->set_hidden_fraction(kHidden);
  ObjectiveSpec* const objective = spec->add_objective();
  objective->set_name("mimic");
  objective->mutable_mimic()->set_teacher(TeacherName(teacher.path));
}

// What people write: of a rate two digits say all, of a length three, and what weights state as float32 has six.
double Rounded(double value, int digits) {
  double rounded = value;
  return absl::SimpleAtod(absl::StrFormat("%.*e", digits - 1, value), &rounded) ? rounded : value;
}

void AddData(const ChosenParts& parts, DataSpec* data) {
  const auto& wishes = parts.wishes;
  data->set_path(parts.survey.path);
  data->set_global_batch(parts.gang.batch);
  data->set_image_px(parts.size.height_px);
  if (parts.size.width_px != parts.size.height_px) data->set_image_width_px(parts.size.width_px);
  if (wishes.start) {
    if (wishes.start->channels != 3) data->set_channels(wishes.start->channels);
    for (const double mean : wishes.start->pixel_mean) data->add_pixel_mean(Rounded(mean, 6));
    for (const double std : wishes.start->pixel_std) data->add_pixel_std(Rounded(std, 6));
  } else if (parts.survey.grey >= kAllGrey && !wishes.teacher) {
    data->set_channels(1);
  }
  if (parts.survey.undecodable > 0 && parts.survey.looked_at > 0) {
    const double share = static_cast<double>(parts.survey.undecodable) / static_cast<double>(parts.survey.looked_at);
    // Twice as many as those that were tried let one expect.
    data->set_max_bad_samples(std::max(
        kBadPhotosLeast, static_cast<int64_t>(std::ceil(2 * share * static_cast<double>(parts.survey.images)))));
  }
  if (parts.machine.gpus > 0) {
    data->set_loader_threads(std::clamp(parts.machine.cores / parts.gang.ranks - 1, 1, kLoaderThreadsMost));
  }
}

void AddEncoder(const ChosenParts& parts, JobSpec* spec) {
  if (parts.wishes.start) {
    *spec->mutable_encoder() = parts.wishes.start->encoder;
    spec->set_init_weights(parts.wishes.start->path);
    return;
  }
  VitSpec* const vit = spec->mutable_encoder()->mutable_vit();
  vit->set_patch_px(parts.size.patch_px);
  vit->set_width(parts.size.width);
  vit->set_depth(parts.size.depth);
  vit->set_heads(parts.size.heads);
}

void AddResources(const ChosenParts& parts, ResourceSpec* resources) {
  resources->set_num_ranks(parts.gang.ranks);
  if (parts.machine.gpus == 0) resources->set_threads_per_rank(parts.gang.threads);
  if (parts.machine.gpus > 0 && parts.machine.gpu_bfloat16) resources->set_precision(PRECISION_BF16);
}

void AddEvaluation(const ChosenParts& parts, EvaluationSpec* evaluation) {
  if (parts.wishes.evaluation_path.empty()) {
    evaluation->set_hold_out(parts.wishes.hold_out);
  } else {
    evaluation->set_path(parts.wishes.evaluation_path);
  }
  if (parts.survey.images > parts.judged_most) evaluation->set_max_images(parts.judged_most);
}

}  // namespace

JobSpec ChosenSpec(const ChosenParts& parts) {
  JobSpec spec;
  spec.set_name("mine");
  spec.set_seed(1);
  AddData(parts, spec.mutable_data());
  const bool grey = parts.survey.grey >= kAllGrey;
  switch (parts.method) {
    case Method::kSimClr:
      AddSimClr(parts.size, grey, &spec);
      break;
    case Method::kMae:
      AddMae(parts.size, &spec);
      break;
    case Method::kMimic:
      AddMimic(*parts.wishes.teacher, &spec);
      break;
  }
  AddEncoder(parts, &spec);
  AdamWSpec* const adamw = spec.mutable_optimizer()->mutable_adamw();
  adamw->set_base_rate(Rounded(parts.size.peak_rate * 256 / static_cast<double>(parts.gang.batch), 2));
  adamw->set_weight_decay(kWeightDecay);
  spec.mutable_optimizer()->set_max_grad_norm(kMaxGradNorm);
  spec.mutable_schedule()->set_epochs(Rounded(parts.epochs, 3));
  const double steps_per_second = parts.images_per_second / static_cast<double>(parts.gang.batch);
  spec.mutable_checkpoint()->set_every_steps(
      std::max<int64_t>(10, std::llround(kSecondsPerCheckpoint * steps_per_second)));
  AddEvaluation(parts, spec.mutable_evaluation());
  AddResources(parts, spec.mutable_resources());
  return spec;
}

}  // namespace mimeo
