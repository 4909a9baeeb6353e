#include "objective/objective.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/check.h"
#include "base/half_cosine.h"
#include "objective/contrastive.h"
#include "objective/mimic.h"
#include "objective/reconstruction.h"
#include "objective/self_distillation.h"

namespace mimeo {

struct ObjectiveSum::Term {
  ObjectiveSpec spec;
  std::unique_ptr<Objective> objective;
  const Reconstruction* reconstruction = nullptr;  // `objective`, when it is one
};

namespace {

// The teachers that objectives of `spec` were given, for a message.
std::string KnownTeachers(const JobSpec& spec, const ObjectiveSum::Context& context) {
  std::set<std::string> known;
  for (const ObjectiveSpec& objective : spec.objective()) {
    if (objective.has_mimic() && context.teacher_widths.count(objective.name()) > 0) {
      known.insert(objective.mimic().teacher());
    }
  }
  return known.empty() ? "there is none" : absl::StrCat("there is \"", absl::StrJoin(known, "\", \""), "\"");
}

bool ReadsTheOutput(const ObjectiveSpec& objective) {
  const MimicSpec& mimic = objective.mimic();
  return !objective.has_mimic() || mimic.student_layer().empty() || mimic.tokens() != MIMIC_TOKENS_VISIBLE;
}

}  // namespace

ObjectiveSum::ObjectiveSum() = default;
ObjectiveSum::~ObjectiveSum() = default;

absl::StatusOr<std::unique_ptr<ObjectiveSum>> ObjectiveSum::Create(const JobSpec& spec, const Encoder& encoder,
                                                                   const Context& context, Parameters* parameters) {
  auto sum = std::unique_ptr<ObjectiveSum>(new ObjectiveSum());
  std::vector<std::string> problems;
  for (const ObjectiveSpec& wanted : spec.objective()) {
    auto term = std::make_unique<Term>();
    term->spec = wanted;
    const std::string prefix = "objective." + wanted.name() + ".";
    switch (wanted.kind_case()) {
      case ObjectiveSpec::kReconstruction: {
        auto made = std::make_unique<Reconstruction>(wanted.reconstruction(), encoder, prefix, parameters);
        term->reconstruction = made.get();
        term->objective = std::move(made);
        break;
      }
      case ObjectiveSpec::kMimic: {
        const auto width = context.teacher_widths.find(wanted.name());
        if (width == context.teacher_widths.end()) {
          problems.push_back(absl::StrCat("objective[", wanted.name(), "].mimic.teacher: no teacher is called \"",
                                          wanted.mimic().teacher(), "\"; ", KnownTeachers(spec, context)));
          continue;
        }
        term->objective = std::make_unique<Mimic>(wanted, encoder, width->second, prefix, parameters);
        break;
      }
      case ObjectiveSpec::kContrastive:
        term->objective = std::make_unique<Contrastive>(wanted.contrastive(), encoder, context.rows, prefix, parameters,
                                                        context.averaged);
        break;
      case ObjectiveSpec::kSelfDistillation:
        term->objective = std::make_unique<SelfDistillation>(wanted.self_distillation(), encoder, context.rows, prefix,
                                                             parameters, context.averaged);
        break;
      case ObjectiveSpec::KIND_NOT_SET:
        problems.push_back(absl::StrCat("objective[", wanted.name(), "]: no kind"));
        continue;
    }
    sum->terms_.push_back(std::move(term));
  }
  if (std::none_of(spec.objective().begin(), spec.objective().end(), ReadsTheOutput)) {
    problems.push_back(
        "objective: all mimic inner blocks (student_layer), so that the encoder's last norm would have no "
        "gradient; add one that reads the encoder's output, or leave student_layer out of one");
  }
  if (problems.empty()) return sum;
  return absl::InvalidArgumentError(absl::StrJoin(problems, "\n"));
}

Needs ObjectiveSum::needs() const {
  Needs all;
  std::set<int> blocks;
  for (const auto& term : terms_) {
    const Needs one = term->objective->needs();
    all.shared_target |= one.shared_target;
    all.average_targets |= one.average_targets;
    blocks.insert(one.blocks.begin(), one.blocks.end());
  }
  all.blocks.assign(blocks.begin(), blocks.end());
  return all;
}

ObjectiveSum::Result ObjectiveSum::Compute(const ForwardPass& pass) const {
  Result result;
  for (const auto& term : terms_) {
    const std::string& name = term->spec.name();
    const LossTerm loss = term->objective->Compute(pass);
    result.terms[name] = loss.value.detach();
    for (const auto& [stat, value] : loss.stats) result.stats[name + "/" + stat] = value;
    result.means.insert(loss.means.begin(), loss.means.end());
    const at::Tensor weighted = loss.value * WeightAt(term->spec, pass.progress);
    result.total = result.total.defined() ? result.total + weighted : weighted;
  }
  return result;
}

namespace {

void EncodeTargets(const Encoder& average, ForwardPass* pass) {
  const at::NoGradGuard no_grad;
  const ImageShape& image = average.image();
  pass->targets.clear();
  for (const ViewInput& view : pass->views) {
    const at::Tensor& images_BCHW = view.images_BCHW;
    const bool full_size = images_BCHW.size(2) == image.height_px && images_BCHW.size(3) == image.width_px;
    if (!full_size || pass->targets.count(view.view) > 0) continue;
    const MaskPlan everything = AllVisible(images_BCHW.size(0), average.grid().num_patches(), images_BCHW.device());
    pass->targets[view.view] = average.Encode(images_BCHW, everything);
  }
}

}  // namespace

void EncodeViews(const Encoder& encoder, const Encoder* average, const ObjectiveSum& objectives, ForwardPass* pass) {
  EncodeOptions options;
  options.blocks = objectives.needs().blocks;
  pass->encodings.clear();
  for (const ViewInput& view : pass->views) {
    options.drop_path_BR = view.drop_path_BR;
    pass->encodings.push_back(encoder.Encode(view.images_BCHW, view.plan, options));
  }
  if (!objectives.needs().average_targets) return;
  MIMEO_CHECK(average != nullptr, "an objective compares with averages, and there are none");
  EncodeTargets(*average, pass);
}

std::vector<at::Tensor*> InputTensors(ForwardPass* pass) {
  std::vector<at::Tensor*> tensors = {&pass->shared_BCHW};
  for (ViewInput& view : pass->views) {
    tensors.insert(tensors.end(), {&view.images_BCHW, &view.plan.visible_BK, &view.plan.hidden_BM, &view.drop_path_BR});
    for (auto& [objective, tensor] : view.teacher_BNT) tensors.push_back(&tensor);
  }
  return tensors;
}

double WeightAt(const ObjectiveSpec& objective, double progress) {
  if (!objective.has_weight_schedule()) return objective.weight();
  const WeightSchedule& schedule = objective.weight_schedule();
  const double along =
      std::min(1.0, std::max(0.0, (progress - schedule.begin()) / (schedule.end() - schedule.begin())));
  if (schedule.shape() == SCHEDULE_SHAPE_COSINE) return HalfCosine(objective.weight(), schedule.final_weight(), along);
  return objective.weight() + (schedule.final_weight() - objective.weight()) * along;
}

const Decoder* ObjectiveSum::pixel_decoder() const {
  for (const auto& term : terms_) {
    if (term->reconstruction != nullptr) return &term->reconstruction->decoder();
  }
  return nullptr;
}

bool ObjectiveSum::normalizes_patches() const {
  for (const auto& term : terms_) {
    if (term->reconstruction != nullptr) return term->reconstruction->normalizes_patches();
  }
  return false;
}

}  // namespace mimeo
