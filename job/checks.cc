#include "job/checks.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/limits.h"
#include "base/text.h"
#include "job/job_shape.h"
#include "job/problem_list.h"

namespace mimeo {
namespace {

constexpr int64_t kGlobalBatchMax = 1 << 20;  // images a step

// A path travels in protocol buffers, whose strings are UTF-8, ends where a system call sees a NUL, and is printed.
void CheckPathText(absl::string_view field, const std::string& path, ProblemList* problems) {
  if (path.size() > limits::kPathBytes) {
    problems->Add(field, path.size(), " bytes; at most ", limits::kPathBytes);
  } else if (!IsUtf8(path)) {
    problems->Add(field, "\"", path, "\" is not UTF-8; rename what has this name");
  } else if (ToText(path, limits::kPathBytes * 8) != path) {
    problems->Add(field, "\"", path, "\" has a control character; rename what has this name");
  }
}

void CheckPaths(const JobSpec& spec, ProblemList* problems) {
  CheckPathText("data.path", spec.data().path(), problems);
  CheckPathText("evaluation.path", spec.evaluation().path(), problems);
  CheckPathText("evaluation.bank_path", spec.evaluation().bank_path(), problems);
  CheckPathText("init_weights", spec.init_weights(), problems);
}

void CheckData(const DataSpec& data, ProblemList* problems) {
  if (data.path().empty()) problems->Add("data.path", "missing; a folder of images, class folders, or .tar shards");
  if (!data.has_global_batch()) {
    problems->Add("data.global_batch", "missing; images per step over all ranks, e.g. 256");
  } else {
    problems->InRange<int64_t>("data.global_batch", data.global_batch(), 1, kGlobalBatchMax);
  }
  problems->InRange("data.image_px", data.image_px(), 8, 4096);
  problems->InRange("data.image_width_px", data.image_width_px(), 8, 4096);
  if (data.channels() != 1 && data.channels() != 3) {
    problems->Add("data.channels", data.channels(), " is neither 3 (RGB) nor 1 (grey)");
  }
  for (const auto& [field, values] :
       {std::make_pair("data.pixel_mean", data.pixel_mean()), std::make_pair("data.pixel_std", data.pixel_std())}) {
    if (values.size() != data.channels()) {
      problems->Add(field, "given ", values.size(), " times; once per channel, ", data.channels());
    }
  }
  for (const double mean : data.pixel_mean()) problems->InRange("data.pixel_mean", mean, 0.0, 1.0);
  for (const double std : data.pixel_std()) problems->InRange("data.pixel_std", std, 1e-4, 1e4);
  problems->AtLeast("data.max_bad_samples", data.max_bad_samples(), 0);
  problems->AtLeast("data.max_pixels", data.max_pixels(), 1);
  if (data.has_members() && (data.members().empty() || data.members().size() > limits::kNameBytes ||
                             data.members().find('/') != std::string::npos)) {
    problems->Add("data.members", "\"", data.members(), "\" is no end of a member's name, such as left.jpg: 1 to ",
                  limits::kNameBytes, " bytes without /");
  }
  problems->InRange("data.loader_threads", data.loader_threads(), 1, 256);
}

void CheckOptimizer(const OptimizerSpec& optimizer, ProblemList* problems) {
  const AdamWSpec& adamw = optimizer.adamw();
  problems->InRange("optimizer.adamw.base_rate", adamw.base_rate(), 0.0, 1e3);
  problems->InRange("optimizer.adamw.beta1", adamw.beta1(), 0.0, 0.999999);
  problems->InRange("optimizer.adamw.beta2", adamw.beta2(), 0.0, 0.9999999);
  problems->InRange("optimizer.adamw.epsilon", adamw.epsilon(), 1e-16, 1.0);
  problems->InRange("optimizer.adamw.weight_decay", adamw.weight_decay(), 0.0, 1e3);
  problems->InRange("optimizer.adamw.final_weight_decay", adamw.final_weight_decay(), 0.0, 1e3);
  problems->InRange("optimizer.adamw.layer_decay", adamw.layer_decay(), 0.01, 1.0);
  problems->InRange("optimizer.max_grad_norm", optimizer.max_grad_norm(), 0.0, 1e12);
  if (adamw.decayed() == DECAYED_UNSPECIFIED) {
    problems->Add("optimizer.adamw.decayed",
                  "one of DECAYED_MATRICES, DECAYED_MATRICES_AND_POSITIONS, DECAYED_MATRICES_BUT_CLASS_TOKEN, "
                  "DECAYED_EVERYTHING");
  }
  if (optimizer.clipping() == CLIPPING_UNSPECIFIED) {
    problems->Add("optimizer.clipping", "one of CLIPPING_GLOBAL, CLIPPING_PER_TENSOR");
  }
}

void CheckWarmup(const ScheduleSpec& schedule, ProblemList* problems) {
  if (schedule.has_warmup()) problems->InRange("schedule.warmup", schedule.warmup(), 0.0, 1.0);
  if (schedule.has_warmup() + schedule.has_warmup_epochs() + schedule.has_warmup_steps() > 1) {
    problems->Add("schedule", "more than one of warmup, warmup_epochs and warmup_steps is given; at most one");
  }
  if (schedule.has_warmup_epochs() && !schedule.has_epochs()) {
    problems->Add("schedule.warmup_epochs", "goes with epochs; use warmup_steps, or warmup, a share of the training");
  }
  if (schedule.has_warmup_steps() && !schedule.has_steps()) {
    problems->Add("schedule.warmup_steps", "goes with steps; use warmup_epochs, or warmup, a share of the training");
  }
  constexpr absl::string_view kShare = "; schedule.warmup=0.05, say, is a share of any training";
  const double epochs = schedule.warmup_epochs();
  if (schedule.has_epochs() && !(epochs >= 0 && epochs <= schedule.epochs())) {
    problems->Add("schedule.warmup_epochs", epochs, " is not between 0 and ", schedule.epochs(), kShare);
  }
  const int64_t steps = schedule.warmup_steps();
  if (schedule.has_steps() && !(steps >= 0 && steps <= schedule.steps())) {
    problems->Add("schedule.warmup_steps", steps, " is not between 0 and ", schedule.steps(), kShare);
  }
}

void CheckSchedule(const ScheduleSpec& schedule, ProblemList* problems) {
  if (schedule.has_epochs() == schedule.has_steps()) {
    problems->Add("schedule", schedule.has_epochs() ? "both epochs and steps are given; exactly one"
                                                    : "neither epochs nor steps is given; exactly one");
  }
  if (schedule.has_epochs() && !(schedule.epochs() > 0 && schedule.epochs() <= 1e6)) {
    problems->Add("schedule.epochs", schedule.epochs(), " is not above 0 and at most 1000000");
  }
  if (schedule.has_steps()) problems->InRange<int64_t>("schedule.steps", schedule.steps(), 1, int64_t{1} << 40);
  CheckWarmup(schedule, problems);
  problems->InRange("schedule.min_rate", schedule.min_rate(), 0.0, 1e3);
}

void CheckEma(const JobSpec& spec, ProblemList* problems) {
  if (!spec.has_ema()) return;
  problems->InRange("ema.decay", spec.ema().decay(), 0.0, 1.0);
  problems->InRange("ema.final_decay", spec.ema().final_decay(), 0.0, 1.0);
}

void CheckEvaluation(const EvaluationSpec& evaluation, ProblemList* problems) {
  problems->InRange("evaluation.knn_k", evaluation.knn_k(), 1, 1000);
  problems->InRange("evaluation.knn_temperature", evaluation.knn_temperature(), 1e-4, 1e4);
  problems->AtLeast("evaluation.every_steps", evaluation.every_steps(), 0);
  problems->AtLeast("evaluation.max_images", evaluation.max_images(), 0);
  if (!problems->InRange("evaluation.hold_out", evaluation.hold_out(), 0.0, 0.5) || evaluation.hold_out() == 0) return;
  // With a path the bank may be the default one, which goes when the path goes.
  if (evaluation.has_path()) {
    problems->Add("evaluation.hold_out", evaluation.hold_out(),
                  " is a share of data.path, and evaluation.path names other images to judge by; leave out "
                  "evaluation.path (with bank_path) or evaluation.hold_out");
  } else if (evaluation.has_bank_path()) {
    problems->Add("evaluation.hold_out", evaluation.hold_out(),
                  " is a share of data.path, of which the rest is the bank; leave out evaluation.bank_path");
  }
}

void CheckRest(const JobSpec& spec, ProblemList* problems) {
  if (!IsName(spec.name(), false)) problems->Add("name", "\"", spec.name(), "\" is not [A-Za-z0-9_.-]{1,64}");
  problems->AtLeast("checkpoint.every_steps", spec.checkpoint().every_steps(), 0);
  problems->InRange("checkpoint.keep_last", spec.checkpoint().keep_last(), 1, limits::kCheckpointsPerJob);
  CheckEvaluation(spec.evaluation(), problems);
}

// Whether the ranks can keep the group together: one micro-step's images are the group's.
bool CheckContrastGroup(const JobSpec& spec, ProblemList* problems) {
  const int64_t group = spec.data().contrast_group(), global_batch = spec.data().global_batch();
  const int64_t ranks = spec.resources().num_ranks();
  if (!MixesSamples(spec)) {
    problems->Add("data.contrast_group", group, ", and no objective mixes samples; leave it out");
    return false;
  }
  if (group < 2 || global_batch % group != 0) {
    problems->Add("data.contrast_group", group, " does not divide data.global_batch ", global_batch,
                  " into groups of at least 2");
    return false;
  }
  if (group % ranks != 0) {
    problems->Add("data.contrast_group", group, " is not a multiple of ", ranks,
                  " ranks; nearest that fit: ", NearestMultiples(group, ranks));
    return false;
  }
  if (spec.resources().micro_batch() == MicroBatch(spec, spec.resources().num_ranks())) return true;
  problems->Add("resources.micro_batch", spec.resources().micro_batch(), " x ", ranks,
                " ranks is not data.contrast_group ", group,
                ": objectives that mix samples need one micro-step per group; leave micro_batch out, or make it ",
                group / ranks);
  return false;
}

// What a recorded step holds fast: every number of the host but the rate and the average's decay
// (worker/training/step_recorder.h).
void CheckCudaGraph(const JobSpec& spec, ProblemList* problems) {
  if (!spec.resources().cuda_graph()) return;
  const char* const held = "and a recorded step's are those of its first; leave resources.cuda_graph out, or ";
  if (spec.resources().num_ranks() > 1) {
    problems->Add("resources.cuda_graph", "is for resources.num_ranks 1; it is ", spec.resources().num_ranks(),
                  ", and the ranks' reductions are not recorded");
  }
  const AdamWSpec& adamw = spec.optimizer().adamw();
  if (adamw.final_weight_decay() != adamw.weight_decay()) {
    problems->Add("resources.cuda_graph", "optimizer.adamw.weight_decay goes from ", adamw.weight_decay(),
                  " to final_weight_decay ", adamw.final_weight_decay(), ", ", held, "make them the same");
  }
  for (const ObjectiveSpec& objective : spec.objective()) {
    if (objective.has_weight_schedule()) {
      problems->Add("resources.cuda_graph", "objective[", objective.name(), "].weight_schedule changes a weight, ",
                    held, "the schedule");
    }
    if (objective.has_self_distillation()) {
      problems->Add("resources.cuda_graph", "objective[", objective.name(),
                    "].self_distillation changes its temperature and frees its prototypes along training, ", held,
                    "the objective");
    }
  }
}

void CheckResources(const JobSpec& spec, ProblemList* problems) {
  const ResourceSpec& resources = spec.resources();
  problems->InRange("resources.threads_per_rank", resources.threads_per_rank(), 1, 1024);
  if (resources.device() == DEVICE_UNSPECIFIED) {
    problems->Add("resources.device", "one of DEVICE_AUTO, DEVICE_CPU, DEVICE_CUDA");
  }
  if (resources.precision() == PRECISION_UNSPECIFIED) {
    problems->Add("resources.precision", "one of PRECISION_FP32, PRECISION_BF16");
  }
  problems->AtLeast("resources.max_restarts", resources.max_restarts(), 0);
  CheckCudaGraph(spec, problems);
  if (!problems->InRange("resources.num_ranks", resources.num_ranks(), 1, limits::kRanksPerJob)) return;
  const int64_t ranks = resources.num_ranks(), global_batch = spec.data().global_batch();
  if (global_batch < 1 || global_batch > kGlobalBatchMax) return;
  if (global_batch < ranks) {
    problems->Add("data.global_batch", global_batch, " is smaller than ", ranks, " ranks; nearest that fits: ", ranks);
    return;
  }
  if (spec.data().has_contrast_group() && !CheckContrastGroup(spec, problems)) return;
  if (!resources.has_micro_batch()) {  // then its default, global_batch / num_ranks, is not whole
    problems->Add("data.global_batch", global_batch, " is not a multiple of ", ranks,
                  " ranks; nearest that fit: ", NearestMultiples(global_batch, ranks));
    return;
  }
  const int64_t micro = resources.micro_batch();
  if (!problems->AtLeast("resources.micro_batch", micro, 1)) return;
  if (MicroBatch(spec, resources.num_ranks()) != micro) {
    problems->Add("data.global_batch", global_batch, " is not a multiple of ", ranks, " ranks x micro-batch ", micro,
                  "; nearest that fit: ", NearestMultiples(global_batch, ranks * micro));
  }
}

}  // namespace

std::vector<std::string> SizeProblems(const JobSpec& spec) {
  const auto bytes = static_cast<int64_t>(spec.ByteSizeLong());
  if (bytes <= limits::kSpecBytes) return {};
  ProblemList problems;
  problems.Add("spec", bytes, " bytes; at most ", limits::kSpecBytes,
               "; shorten its paths, or leave out what is repeated");
  CheckPaths(spec, &problems);
  return problems.Take();
}

std::vector<std::string> Problems(const JobSpec& spec) {
  ProblemList problems;
  CheckData(spec.data(), &problems);
  CheckViews(spec, &problems);
  CheckEncoder(spec, &problems);
  CheckMask(spec, &problems);
  CheckObjectives(spec, &problems);
  CheckOptimizer(spec.optimizer(), &problems);
  CheckSchedule(spec.schedule(), &problems);
  CheckResources(spec, &problems);
  CheckEma(spec, &problems);
  CheckRest(spec, &problems);
  CheckPaths(spec, &problems);
  return problems.Take();
}

}  // namespace mimeo
