#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
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

void CheckReconstruction(const JobSpec& spec, const ReconstructionSpec& decoder, const std::string& path, ProblemList* problems) {
  CheckTransformer(path, {"decoder_width", "decoder_depth", "decoder_heads"}, decoder.decoder_width(), decoder.decoder_depth(),
                   decoder.decoder_heads(), problems);
  if (decoder.distance() == PIXEL_DISTANCE_UNSPECIFIED) {
    problems->Add(path + "distance", "one of PIXEL_DISTANCE_MSE, PIXEL_DISTANCE_L1");
  }
  if (decoder.target_view() == TARGET_VIEW_UNSPECIFIED) {
    problems->Add(path + "target_view", "one of TARGET_VIEW_OWN, TARGET_VIEW_CROSS, TARGET_VIEW_SHARED");
  }
  if (decoder.target_view() == TARGET_VIEW_CROSS && spec.views().count() < 2) {
    problems->Add(path + "target_view", "TARGET_VIEW_CROSS needs views.count of 2 or more; it is ", spec.views().count());
  }
  if (spec.mask().has_none()) problems->Add(path.substr(0, path.size() - 1), "nothing is hidden (mask.none), so there is nothing to reconstruct");
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
    problems->Add(path + "projected", "goes with the teacher's last tokens (teacher_layer 0), not with layer ", mimic.teacher_layer());
  }
  if (mimic.class_token() && !HasClassToken(spec)) {
    problems->Add(path + "class_token", "this encoder has no class token; set encoder's class_token");
  }
  std::set<int> seen;
  for (const int layer : mimic.student_layer()) {
    if (!problems->InRange(path + "student_layer", layer, 1, Depth(spec))) continue;
    if (!seen.insert(layer).second) problems->Add(path + "student_layer", layer, " is named twice");
  }
}

void CheckContrastive(const JobSpec& spec, const ContrastiveSpec& contrastive, const std::string& path, ProblemList* problems) {
  switch (contrastive.loss_case()) {
    case ContrastiveSpec::kInfoNce:
      problems->InRange(path + "info_nce.temperature", contrastive.info_nce().temperature(), 1e-3, 1e3);
      break;
    case ContrastiveSpec::kCosine:
      problems->InRange(path + "cosine.predictor_width", contrastive.cosine().predictor_width(), 1, 65536);
      break;
    case ContrastiveSpec::LOSS_NOT_SET:
      problems->Add(path.substr(0, path.size() - 1), "says not which loss; one of info_nce {}, cosine {}");
  }
  if (contrastive.pooling() == POOLING_UNSPECIFIED) problems->Add(path + "pooling", "one of POOLING_MEAN, POOLING_CLASS");
  if (contrastive.pooling() == POOLING_CLASS && !HasClassToken(spec)) {
    problems->Add(path + "pooling", "POOLING_CLASS, and this encoder has no class token; POOLING_MEAN, or set encoder's class_token");
  }
  const ProjectorSpec& projector = contrastive.projector();
  problems->InRange(path + "projector.width", projector.width(), 1, 65536);
  if (projector.hidden_width_size() > 8) problems->Add(path + "projector.hidden_width", projector.hidden_width_size(), " layers; at most 8");
  for (const int width : projector.hidden_width()) problems->InRange(path + "projector.hidden_width", width, 1, 65536);
  if (spec.views().count() * spec.mask().groups() != 2) {
    problems->Add("views.count", spec.views().count(), " x mask.groups ", spec.mask().groups(), "; ", path.substr(0, path.size() - 1),
                  " contrasts two encodings of each image");
  }
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

void CheckObjective(const JobSpec& spec, const ObjectiveSpec& objective, const std::string& path, ProblemList* problems) {
  CheckWeight(objective, path, problems);
  switch (objective.kind_case()) {
    case ObjectiveSpec::kReconstruction:
      return CheckReconstruction(spec, objective.reconstruction(), path + ".reconstruction.", problems);
    case ObjectiveSpec::kMimic:
      return CheckMimic(spec, objective.mimic(), path + ".mimic.", problems);
    case ObjectiveSpec::kContrastive:
      return CheckContrastive(spec, objective.contrastive(), path + ".contrastive.", problems);
    case ObjectiveSpec::KIND_NOT_SET:
      problems->Add(path, "says not what it is; one of reconstruction {}, mimic {}, contrastive {}");
  }
}

}  // namespace

void CheckObjectives(const JobSpec& spec, ProblemList* problems) {
  if (spec.objective().empty()) problems->Add("objective", "missing; at least one, e.g. objective { reconstruction {} }");
  std::set<std::string> names;
  for (int i = 0; i < spec.objective_size(); ++i) {
    const ObjectiveSpec& objective = spec.objective(i);
    const std::string path = absl::StrCat("objective[", objective.name().empty() ? absl::StrCat(i) : objective.name(), "]");
    if (objective.kind_case() != ObjectiveSpec::KIND_NOT_SET) {
      if (!IsName(objective.name(), true)) problems->Add(path + ".name", "\"", objective.name(), "\" is not [a-z0-9_]{1,32}");
      if (!names.insert(objective.name()).second) problems->Add(path + ".name", "another objective has this name");
    }
    CheckObjective(spec, objective, path, problems);
  }
  const bool fused = !spec.objective().empty() && std::all_of(spec.objective().begin(), spec.objective().end(), [](const ObjectiveSpec& o) {
    return o.mimic().student_layer_size() > 0;
  });
  if (fused) {
    problems->Add("objective", "every objective is a mimic of student_layer, so nothing trains the encoder's last norm; leave "
                  "student_layer out of one, or add a reconstruction");
  }
}

}  // namespace mimeo
