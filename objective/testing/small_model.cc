#include "objective/testing/small_model.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/sin.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/random_key.h"
#include "model/mask_plan.h"
#include "model/testing/vit_spec.h"
#include "objective/mimic.h"

namespace mimeo::testing {
namespace {

ObjectiveSpec* AddObjective(const std::string& name, double weight, JobSpec* spec) {
  ObjectiveSpec* objective = spec->add_objective();
  objective->set_name(name), objective->set_weight(weight);
  return objective;
}

ContrastiveSpec* AddContrastive(const std::string& name, double weight, JobSpec* spec) {
  ContrastiveSpec* contrastive = AddObjective(name, weight, spec)->mutable_contrastive();
  contrastive->set_pooling(POOLING_MEAN);
  ProjectorSpec* projector = contrastive->mutable_projector();
  projector->add_hidden_width(10), projector->set_width(6), projector->set_batch_norm(true);
  return contrastive;
}

// Rows of teacher tokens that the objective of this name wants of a view.
int64_t TeacherRows(const JobSpec& spec, const std::string& name, const MaskPlan& plan) {
  for (const ObjectiveSpec& objective : spec.objective()) {
    if (objective.name() != name || !objective.has_mimic()) continue;
    return MimickedPatches(plan, objective.mimic().tokens()).size(1) + (objective.mimic().class_token() ? 1 : 0);
  }
  return kVisible;
}

}  // namespace

ReconstructionSpec* AddPixels(const std::string& name, double weight, JobSpec* spec) {
  ReconstructionSpec* pixels = AddObjective(name, weight, spec)->mutable_reconstruction();
  pixels->set_decoder_width(8), pixels->set_decoder_depth(2), pixels->set_decoder_heads(2),
      pixels->set_normalize_patches(true);
  pixels->set_distance(PIXEL_DISTANCE_MSE), pixels->set_target_view(TARGET_VIEW_OWN);
  return pixels;
}

MimicSpec* AddMimic(const std::string& name, const std::string& teacher, double weight, JobSpec* spec) {
  MimicSpec* mimic = AddObjective(name, weight, spec)->mutable_mimic();
  mimic->set_teacher(teacher), mimic->set_distance(MIMIC_DISTANCE_MSE), mimic->set_teacher_norm(TEACHER_NORM_WHITEN);
  mimic->set_teacher_layer(0), mimic->set_projected(false), mimic->set_class_token(false);
  mimic->set_tokens(MIMIC_TOKENS_VISIBLE);
  return mimic;
}

ContrastiveSpec* AddInfoNce(const std::string& name, double weight, JobSpec* spec) {
  ContrastiveSpec* contrastive = AddContrastive(name, weight, spec);
  contrastive->mutable_info_nce()->set_temperature(0.2);
  return contrastive;
}

ContrastiveSpec* AddCosine(const std::string& name, double weight, JobSpec* spec) {
  ContrastiveSpec* contrastive = AddContrastive(name, weight, spec);
  contrastive->mutable_cosine();
  contrastive->mutable_predictor()->set_hidden_width(7);
  return contrastive;
}

SelfDistillationSpec* AddSelfDistillation(const std::string& name, double weight, JobSpec* spec) {
  SelfDistillationSpec* dino = AddObjective(name, weight, spec)->mutable_self_distillation();
  dino->set_pooling(POOLING_CLASS), dino->add_hidden_width(10), dino->set_bottleneck_width(5),
      dino->set_num_prototypes(7);
  dino->set_student_temperature(0.1), dino->set_teacher_temperature(0.07), dino->set_warmup_temperature(0.04),
      dino->set_warmup(0.5);
  dino->set_center_momentum(0.9), dino->set_frozen_prototypes(0);
  spec->mutable_ema()->set_decay(0.99), spec->mutable_ema()->set_final_decay(0.99);
  return dino;
}

SmallModel::SmallModel(JobSpec objectives, const SmallModelOptions& options)
    : spec(std::move(objectives)), options(options), parameters(options.seed), averaged(options.seed + 100) {
  VitSpec* vit = spec.mutable_encoder()->mutable_vit();
  *vit = PlainVit(kPatchPx, /*width=*/8, options.depth, /*heads=*/2);
  vit->set_class_token(options.class_token), vit->set_mask_token(options.mask_token);
  encoder = MakeEncoder(spec.encoder(), {3, kImagePx, kImagePx}, &parameters);
  ObjectiveSum::Context context;
  for (const std::string& name : options.taught) context.teacher_widths[name] = kTeacherWidth;
  if (spec.has_ema()) {
    average = MakeEncoder(spec.encoder(), {3, kImagePx, kImagePx}, &averaged);
    context.averaged = &averaged;
  }
  sum = ObjectiveSum::Create(spec, *encoder, context, &parameters);
  parameters.To(at::kCPU, at::kDouble);
  if (average != nullptr) averaged.To(at::kCPU, at::kDouble);
}

ViewInput SmallModel::Input(const at::Tensor& images_BCHW, int view, int mask) const {
  const int64_t batch = images_BCHW.size(0);
  const RandomKey drawn = RandomKey(9).Fold(static_cast<uint64_t>(view)).Fold(static_cast<uint64_t>(mask));
  std::vector<RandomKey> keys;
  for (int64_t b = 0; b < batch; ++b) keys.push_back(drawn.Fold(static_cast<uint64_t>(b)));
  ViewInput input;
  input.images_BCHW = images_BCHW;
  input.plan = RandomMaskPlan(keys, kPatches, kVisible);
  input.view = view;
  for (const std::string& name : options.taught) {
    const int64_t rows = TeacherRows(spec, name, input.plan);
    const at::Tensor phases = at::arange(batch * rows * kTeacherWidth, at::kDouble) * 0.9 + view;
    input.teacher_BNT[name] = at::sin(phases).view({batch, rows, kTeacherWidth});
  }
  return input;
}

ForwardPass SmallModel::Forward(const std::vector<at::Tensor>& views, int masks) const {
  ForwardPass pass;
  for (size_t v = 0; v < views.size(); ++v) {
    for (int mask = 0; mask < masks; ++mask) pass.views.push_back(Input(views[v], static_cast<int>(v), mask));
  }
  EncodeViews(*encoder, average.get(), **sum, &pass);
  return pass;
}

double SmallModel::Term(const ForwardPass& pass, const std::string& name) const {
  return (*sum)->Compute(pass).terms.at(name).item<double>();
}

at::Tensor Images(int batch, double phase) {
  return at::sin(at::arange(batch * 3 * kImagePx * kImagePx, at::kDouble) * 0.61 + phase)
      .view({batch, 3, kImagePx, kImagePx});
}

void ExpectGradientsAreSlopes(const Parameters& parameters, const std::function<at::Tensor()>& total) {
  total().backward();
  const at::NoGradGuard no_grad;
  constexpr double kStep = 2e-6;  // the loss is steep in the class token, so that a larger step sees its curvature
  for (const auto& [name, parameter] : parameters.trained()) {
    ASSERT_TRUE(parameter.grad().defined()) << name;
    const at::Tensor gradient = parameter.grad().view(-1);
    const int64_t place = gradient.abs().argmax().item<int64_t>();
    at::Tensor value = parameter.view(-1)[place];
    value += kStep;
    const double up = total().item<double>();
    value -= 2 * kStep;
    const double down = total().item<double>();
    value += kStep;
    const double slope = (up - down) / (2 * kStep);
    EXPECT_NEAR(gradient[place].item<double>(), slope, 1e-8 * std::max(1.0, std::abs(slope))) << name;
  }
}

}  // namespace mimeo::testing
