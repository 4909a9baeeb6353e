#include "worker/training/testing/tiny_model.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/sin.h>
#include <gtest/gtest.h>

#include "job/job_spec.h"
#include "model/mask_plan.h"

namespace mimeo::testing {
namespace {

constexpr int kImagePx = 32, kPatches = 16, kVisible = 4;

at::Tensor Flatten(const Parameters& parameters, bool gradients) {
  std::vector<at::Tensor> flat;
  for (const auto& [name, tensor] : gradients ? parameters.trained() : parameters.all()) {
    flat.push_back((gradients ? tensor.grad() : tensor.detach()).to(at::kDouble).flatten());
  }
  return at::cat(flat);
}

}  // namespace

JobSpec TinySpec(int width) {
  JobSpec spec;
  spec.set_seed(3);
  spec.mutable_data()->set_path("images");
  spec.mutable_data()->set_global_batch(24);
  spec.mutable_data()->set_image_px(kImagePx);
  VitSpec* vit = spec.mutable_encoder()->mutable_vit();
  vit->set_patch_px(8), vit->set_width(width), vit->set_depth(2), vit->set_heads(2);
  ObjectiveSpec* pixels = spec.add_objective();
  pixels->set_name("pixels");
  ReconstructionSpec* decoder = pixels->mutable_reconstruction();
  decoder->set_decoder_width(16), decoder->set_decoder_depth(1), decoder->set_decoder_heads(2);
  spec.mutable_optimizer()->mutable_adamw()->set_base_rate(1e-2);
  spec.mutable_schedule()->set_steps(20);
  const auto resolved = ResolveJobSpec(spec);
  if (!resolved.ok()) ADD_FAILURE() << resolved.status();
  return *resolved;
}

JobSpec TinyDinoSpec() {
  JobSpec spec = TinySpec();
  spec.mutable_views(0)->set_count(2);
  spec.mutable_ema()->set_decay(0.9);
  ObjectiveSpec* objective = spec.add_objective();
  objective->set_name("dino");
  SelfDistillationSpec* dino = objective->mutable_self_distillation();
  dino->add_hidden_width(24), dino->set_bottleneck_width(12), dino->set_num_prototypes(40);
  const auto resolved = ResolveJobSpec(spec);
  if (!resolved.ok()) ADD_FAILURE() << resolved.status();
  return *resolved;
}

TinyModel::TinyModel(const JobSpec& spec, at::ScalarType type, const RowGatherer& rows) : parameters(spec.seed()) {
  parameters.set_recompute_blocks(spec.resources().activation_checkpointing());
  encoder = MakeEncoder(spec.encoder(), ImageShapeOf(spec.data()), &parameters);
  ObjectiveSum::Context context;
  context.rows = rows;
  if (spec.has_ema()) {
    average = std::make_unique<ModelAverage>(spec, Products::kAsStored);
    context.averaged = average->parameters();
  }
  objectives = *ObjectiveSum::Create(spec, *encoder, context, &parameters);
  parameters.To(at::kCPU, type);
  optimizer = std::make_unique<AdamW>(&parameters, spec);
  if (average != nullptr) average->Start(parameters);
}

ForwardPass TinyViews(int64_t step, int64_t begin, int64_t end, at::ScalarType type) {
  std::vector<at::Tensor> rows;
  std::vector<RandomKey> keys;
  for (int64_t row = begin; row < end; ++row) {
    const double phase = 0.37 * static_cast<double>(row) + 1.1 * static_cast<double>(step);
    const at::Tensor x = at::arange(3 * kImagePx * kImagePx, at::kDouble);
    rows.push_back((at::sin(x * (0.011 + 0.001 * static_cast<double>(row)) + phase) + at::sin(x * 0.7 + phase))
                       .view({1, 3, kImagePx, kImagePx}));
    keys.push_back(RandomKey(9).Fold(static_cast<uint64_t>(step)).Fold(static_cast<uint64_t>(row)));
  }
  ViewInput view;
  view.images_BCHW = at::cat(rows).to(type);
  view.plan = RandomMaskPlan(keys, kPatches, kVisible);
  ForwardPass pass;
  pass.views.push_back(std::move(view));
  return pass;
}

at::Tensor FlatParameters(const Parameters& parameters) { return Flatten(parameters, false); }
at::Tensor FlatGradients(const Parameters& parameters) { return Flatten(parameters, true); }

at::Tensor FlatAverage(const ModelAverage& average) {
  std::vector<at::Tensor> flat;
  for (const auto& [name, tensor] : average.State()) flat.push_back(tensor.to(at::kDouble).flatten());
  return at::cat(flat);
}

}  // namespace mimeo::testing
