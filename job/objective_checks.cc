#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/text.h"
#include "job/job_shape.h"
#include "job/problem_list.h"

namespace mimeo {
namespace {

// Transformer blocks of the encoder.
int Depth(const JobSpec& spec) {
  return spec.encoder().has_conv_vit() ? spec.encoder().conv_vit().depth() : spec.encoder().vit().depth();
}

bool HasClassToken(const JobSpec& spec) {
  return spec.encoder().has_conv_vit() ? spec.encoder().conv_vit().class_token() : spec.encoder().vit().class_token();
}

template <typename Spec>
void CheckDecoder(const Spec& spec, const std::string& path, ProblemList* problems) {
  CheckTransformer(path, {"decoder_width", "decoder_depth", "decoder_heads"}, spec.decoder_width(),
                   spec.decoder_depth(), spec.decoder_heads(), problems);
}

template <typename Spec>
void CheckNoDecoder(const Spec& spec, const std::string& path, const std::string& why, ProblemList* problems) {
  for (const auto& [field, given] : {std::make_pair("decoder_width", spec.has_decoder_width()),
                                     std::make_pair("decoder_depth", spec.has_decoder_depth()),
                                     std::make_pair("decoder_heads", spec.has_decoder_heads())}) {
    if (given) problems->Add(path + field, "does nothing ", why, "; leave it out");
  }
}

void CheckLinearDecoder(const JobSpec& spec, const ReconstructionSpec& decoder, const std::string& path,
                        ProblemList* problems) {
  if (!spec.encoder().vit().mask_token()) {
    problems->Add(path + "linear",
                  "reads the encoder's tokens of hidden patches; set encoder.vit.mask_token, or leave linear out");
  }
  CheckNoDecoder(decoder, path, "where linear is true", problems);
}

void CheckReconstruction(const JobSpec& spec, const ReconstructionSpec& decoder, const std::string& path,
                         ProblemList* problems) {
  if (decoder.linear()) {
    CheckLinearDecoder(spec, decoder, path, problems);
  } else {
    CheckDecoder(decoder, path, problems);
  }
  if (decoder.distance() == PIXEL_DISTANCE_UNSPECIFIED) {
    problems->Add(path + "distance", "one of PIXEL_DISTANCE_MSE, PIXEL_DISTANCE_L1");
  }
  if (decoder.target_view() == TARGET_VIEW_UNSPECIFIED) {
    problems->Add(path + "target_view", "one of TARGET_VIEW_OWN, TARGET_VIEW_CROSS, TARGET_VIEW_SHARED");
  }
  if (decoder.target_view() == TARGET_VIEW_CROSS && EachView(spec).size() < 2) {
    problems->Add(path + "target_view", "TARGET_VIEW_CROSS needs views.count of 2 or more; it is ",
                  EachView(spec).size());
  }
  if (spec.mask().has_none()) {
    problems->Add(path.substr(0, path.size() - 1), "nothing is hidden (mask.none), so there is nothing to reconstruct");
  }
}

void CheckMimicTokens(const JobSpec& spec, const MimicSpec& mimic, const std::string& path, ProblemList* problems) {
  switch (mimic.tokens()) {
    case MIMIC_TOKENS_VISIBLE:
      return CheckNoDecoder(mimic, path, "with MIMIC_TOKENS_VISIBLE", problems);
    case MIMIC_TOKENS_HIDDEN:
      if (mimic.class_token()) {
        problems->Add(path + "class_token",
                      "goes with tokens at the encoder's output: MIMIC_TOKENS_VISIBLE or MIMIC_TOKENS_ALL");
      }
      if (!mimic.student_layer().empty()) {
        problems->Add(path + "student_layer",
                      "is for tokens at the encoder's output: MIMIC_TOKENS_VISIBLE or MIMIC_TOKENS_ALL");
      }
      break;
    case MIMIC_TOKENS_ALL:
      break;
    default:
      problems->Add(path + "tokens", "one of MIMIC_TOKENS_VISIBLE, MIMIC_TOKENS_HIDDEN, MIMIC_TOKENS_ALL");
      return;
  }
  CheckDecoder(mimic, path, problems);
  if (spec.mask().has_none()) {
    problems->Add(path + "tokens", "nothing is hidden (mask.none), so that MIMIC_TOKENS_VISIBLE are all");
  }
}

void CheckMimic(const JobSpec& spec, const MimicSpec& mimic, const std::string& path, ProblemList* problems) {
  if (!IsName(mimic.teacher(), false)) {
    problems->Add(path + "teacher", "\"", mimic.teacher(), "\" is not a teacher's name, [A-Za-z0-9_.-]{1,64}");
  }
  if (mimic.distance() == MIMIC_DISTANCE_UNSPECIFIED) {
    problems->Add(path + "distance", "one of MIMIC_DISTANCE_MSE, MIMIC_DISTANCE_SMOOTH_L1, MIMIC_DISTANCE_COSINE");
  }
  if (mimic.teacher_norm() == TEACHER_NORM_UNSPECIFIED) {
    problems->Add(path + "teacher_norm", "one of TEACHER_NORM_WHITEN, TEACHER_NORM_L2, TEACHER_NORM_RAW");
  }
  problems->InRange(path + "teacher_layer", mimic.teacher_layer(), 0, 1000);
  if (mimic.projected() && mimic.teacher_layer() != 0) {
    problems->Add(path + "projected", "goes with the teacher's last tokens (teacher_layer 0), not with layer ",
                  mimic.teacher_layer());
  }
  if (mimic.class_token() && !HasClassToken(spec)) {
    problems->Add(path + "class_token", "this encoder has no class token; set encoder's class_token");
  }
  CheckMimicTokens(spec, mimic, path, problems);
  std::set<int> seen;
  for (const int layer : mimic.student_layer()) {
    if (!problems->InRange(path + "student_layer", layer, 1, Depth(spec))) continue;
    if (!seen.insert(layer).second) problems->Add(path + "student_layer", layer, " is named twice");
  }
}

void CheckPooling(const JobSpec& spec, Pooling pooling, const std::string& path, ProblemList* problems) {
  if (pooling == POOLING_UNSPECIFIED) problems->Add(path + "pooling", "one of POOLING_MEAN, POOLING_CLASS");
  if (pooling == POOLING_CLASS && !HasClassToken(spec)) {
    problems->Add(path + "pooling",
                  "POOLING_CLASS, and this encoder has no class token; POOLING_MEAN, or set encoder's class_token");
  }
}

// Of an objective that compares each view with the averaged network's of the other full-size views.
void CheckAveragedTargets(const JobSpec& spec, const std::string& path, ProblemList* problems) {
  const std::string objective = path.substr(0, path.size() - 1);
  if (!spec.has_ema()) problems->Add(objective, "compares with the averaged network; the job needs ema {}");
  const size_t num_views = EachView(spec).size();
  if (num_views < 2) {
    problems->Add("views.count", num_views, "; ", objective, " compares views of an image; at least 2");
  }
}

void CheckContrastive(const JobSpec& spec, const ContrastiveSpec& contrastive, const std::string& path,
                      ProblemList* problems) {
  switch (contrastive.loss_case()) {
    case ContrastiveSpec::kInfoNce:
      problems->InRange(path + "info_nce.temperature", contrastive.info_nce().temperature(), 1e-3, 1e3);
      break;
    case ContrastiveSpec::kCosine:
      break;
    case ContrastiveSpec::LOSS_NOT_SET:
      problems->Add(path.substr(0, path.size() - 1), "says not which loss; one of info_nce {}, cosine {}");
  }
  if (contrastive.has_predictor()) {
    problems->InRange(path + "predictor.hidden_width", contrastive.predictor().hidden_width(), 1, 65536);
  }
  CheckPooling(spec, contrastive.pooling(), path, problems);
  const ProjectorSpec& projector = contrastive.projector();
  problems->InRange(path + "projector.width", projector.width(), 1, 65536);
  if (projector.hidden_width_size() > 8) {
    problems->Add(path + "projector.hidden_width", projector.hidden_width_size(), " layers; at most 8");
  }
  for (const int width : projector.hidden_width()) problems->InRange(path + "projector.hidden_width", width, 1, 65536);
  if (contrastive.average_target()) return CheckAveragedTargets(spec, path, problems);
  const int64_t num_views = static_cast<int64_t>(EachView(spec).size());
  if (num_views * spec.mask().groups() != 2) {
    problems->Add("views.count", num_views, " x mask.groups ", spec.mask().groups(), "; ",
                  path.substr(0, path.size() - 1), " contrasts two encodings of each image");
  }
}

void CheckSelfDistillation(const JobSpec& spec, const SelfDistillationSpec& dino, const std::string& path,
                           ProblemList* problems) {
  CheckPooling(spec, dino.pooling(), path, problems);
  if (dino.hidden_width_size() > 8) {
    problems->Add(path + "hidden_width", dino.hidden_width_size(), " layers; at most 8");
  }
  for (const int width : dino.hidden_width()) problems->InRange(path + "hidden_width", width, 1, 65536);
  problems->InRange(path + "bottleneck_width", dino.bottleneck_width(), 1, 65536);
  problems->InRange(path + "num_prototypes", dino.num_prototypes(), 2, 1 << 20);
  problems->InRange(path + "student_temperature", dino.student_temperature(), 1e-3, 1e3);
  problems->InRange(path + "teacher_temperature", dino.teacher_temperature(), 1e-3, 1e3);
  problems->InRange(path + "warmup_temperature", dino.warmup_temperature(), 1e-3, 1e3);
  problems->InRange(path + "warmup", dino.warmup(), 0.0, 1.0);
  problems->InRange(path + "center_momentum", dino.center_momentum(), 0.0, 1.0);
  problems->InRange(path + "frozen_prototypes", dino.frozen_prototypes(), 0.0, 1.0);
  problems->InRange(path + "warmup_stages", dino.warmup_stages(), 0, 1 << 20);
  CheckAveragedTargets(spec, path, problems);
}

void CheckWeight(const ObjectiveSpec& objective, const std::string& path, ProblemList* problems) {
  if (!(objective.weight() > 0 && std::isfinite(objective.weight()))) {
    problems->Add(path + ".weight", objective.weight(), " is not above 0");
  }
  if (!objective.has_weight_schedule()) return;
  const WeightSchedule& schedule = objective.weight_schedule();
  const std::string at = path + ".weight_schedule.";
  if (!schedule.has_final_weight()) problems->Add(at + "final_weight", "missing; the weight at the end");
  problems->InRange(at + "final_weight", schedule.final_weight(), 0.0, 1e9);
  problems->InRange(at + "begin", schedule.begin(), 0.0, 1.0);
  if (problems->InRange(at + "end", schedule.end(), 0.0, 1.0) && schedule.end() <= schedule.begin()) {
    problems->Add(at + "end", schedule.end(), " is not after begin ", schedule.begin());
  }
  if (schedule.shape() == SCHEDULE_SHAPE_UNSPECIFIED) {
    problems->Add(at + "shape", "one of SCHEDULE_SHAPE_LINEAR, SCHEDULE_SHAPE_COSINE");
  }
}

void CheckObjective(const JobSpec& spec, const ObjectiveSpec& objective, const std::string& path,
                    ProblemList* problems) {
  CheckWeight(objective, path, problems);
  switch (objective.kind_case()) {
    case ObjectiveSpec::kReconstruction:
      return CheckReconstruction(spec, objective.reconstruction(), path + ".reconstruction.", problems);
    case ObjectiveSpec::kMimic:
      return CheckMimic(spec, objective.mimic(), path + ".mimic.", problems);
    case ObjectiveSpec::kContrastive:
      return CheckContrastive(spec, objective.contrastive(), path + ".contrastive.", problems);
    case ObjectiveSpec::kSelfDistillation:
      return CheckSelfDistillation(spec, objective.self_distillation(), path + ".self_distillation.", problems);
    case ObjectiveSpec::KIND_NOT_SET:
      problems->Add(path,
                    "says not what it is; one of reconstruction {}, mimic {}, contrastive {}, self_distillation {}");
  }
}

}  // namespace

void CheckObjectives(const JobSpec& spec, ProblemList* problems) {
  if (spec.objective().empty()) {
    problems->Add("objective", "missing; at least one, e.g. objective { reconstruction {} }");
  }
  if (spec.objective_size() > limits::kObjectives) {
    return problems->Add("objective", "given ", spec.objective_size(), " times; at most ", limits::kObjectives);
  }
  std::set<std::string> names;
  for (int i = 0; i < spec.objective_size(); ++i) {
    const ObjectiveSpec& objective = spec.objective(i);
    const std::string path = absl::StrCat(
        "objective[", objective.name().empty() ? absl::StrCat(i) : ToText(objective.name(), limits::kNameBytes), "]");
    if (objective.kind_case() != ObjectiveSpec::KIND_NOT_SET) {
      if (!IsName(objective.name(), true)) {
        problems->Add(path + ".name", "\"", objective.name(), "\" is not [a-z0-9_]{1,32}");
      }
      if (!names.insert(objective.name()).second) problems->Add(path + ".name", "another objective has this name");
    }
    CheckObjective(spec, objective, path, problems);
  }
  const bool fused = !spec.objective().empty() &&
                     std::all_of(spec.objective().begin(), spec.objective().end(), [](const ObjectiveSpec& o) {
                       return o.mimic().student_layer_size() > 0 && o.mimic().tokens() == MIMIC_TOKENS_VISIBLE;
                     });
  if (fused) {
    problems->Add("objective",
                  "every objective is a mimic of student_layer, so nothing trains the encoder's last norm; leave "
                  "student_layer out of one, or add a reconstruction");
  }
}

}  // namespace mimeo
