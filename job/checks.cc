#include "job/checks.h"

#include <algorithm>
#include <cmath>
#include <codecvt>
#include <cwchar>
#include <set>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/limits.h"

namespace mimeo {
namespace {

// Collects problems; each check names a field once.
class Report {
 public:
  template <typename... Parts>
  void Add(absl::string_view field, const Parts&... parts) {
    problems_.push_back(absl::StrCat(field, ": ", parts...));
  }
  template <typename Number>
  bool InRange(absl::string_view field, Number value, Number least, Number most) {
    if (value >= least && value <= most) return true;  // not so for NaN
    Add(field, value, " is not between ", least, " and ", most);
    return false;
  }
  bool AtLeast(absl::string_view field, int64_t value, int64_t least) {
    if (value >= least) return true;
    Add(field, value, " is too small; at least ", least);
    return false;
  }
  std::vector<std::string> Take() { return std::move(problems_); }

 private:
  std::vector<std::string> problems_;
};

bool IsName(absl::string_view text, bool lower_only) {
  if (text.empty() || text.size() > static_cast<size_t>(lower_only ? 32 : limits::kNameBytes)) return false;
  return std::all_of(text.begin(), text.end(), [lower_only](char c) {
    return absl::ascii_isdigit(c) || c == '_' || (lower_only ? absl::ascii_islower(c) : absl::ascii_isalpha(c) || c == '.' || c == '-');
  });
}

bool IsUtf8(const std::string& text) {
  const std::codecvt_utf8<char32_t> codec;
  std::mbstate_t state{};
  return codec.length(state, text.data(), text.data() + text.size(), text.size()) == static_cast<int>(text.size());
}

// A path travels in protocol buffers, whose strings are UTF-8.
void CheckPathText(absl::string_view field, const std::string& path, Report* report) {
  if (!IsUtf8(path)) report->Add(field, "\"", absl::CHexEscape(path), "\" is not UTF-8; rename what has this name");
}

void CheckPaths(const JobSpec& spec, Report* report) {
  CheckPathText("data.path", spec.data().path(), report);
  CheckPathText("evaluation.path", spec.evaluation().path(), report);
  CheckPathText("evaluation.bank_path", spec.evaluation().bank_path(), report);
  CheckPathText("init_weights", spec.init_weights(), report);
}

void CheckData(const DataSpec& data, Report* report) {
  if (data.path().empty()) report->Add("data.path", "missing; a folder of images, class folders, or .tar shards");
  if (!data.has_global_batch()) {
    report->Add("data.global_batch", "missing; images per step over all ranks, e.g. 256");
  } else {
    report->InRange<int64_t>("data.global_batch", data.global_batch(), 1, 1 << 20);
  }
  report->InRange("data.image_px", data.image_px(), 8, 4096);
  report->AtLeast("data.max_bad_samples", data.max_bad_samples(), 0);
  report->AtLeast("data.max_pixels", data.max_pixels(), 1);
  report->InRange("data.loader_threads", data.loader_threads(), 1, 256);
}

void CheckViews(const ViewSpec& views, Report* report) {
  report->InRange("views.count", views.count(), 1, 16);
  report->InRange("views.crop_scale_min", views.crop_scale_min(), 1e-4, 1.0);
  report->InRange("views.crop_scale_max", views.crop_scale_max(), 1e-4, 1.0);
  if (views.crop_scale_min() > views.crop_scale_max()) {
    report->Add("views.crop_scale_min", views.crop_scale_min(), " is above crop_scale_max ", views.crop_scale_max());
  }
  report->InRange("views.crop_ratio_min", views.crop_ratio_min(), 0.01, 100.0);
  report->InRange("views.crop_ratio_max", views.crop_ratio_max(), 0.01, 100.0);
  if (views.crop_ratio_min() > views.crop_ratio_max()) {
    report->Add("views.crop_ratio_min", views.crop_ratio_min(), " is above crop_ratio_max ", views.crop_ratio_max());
  }
  report->InRange("views.flip_probability", views.flip_probability(), 0.0, 1.0);
}

// Two numbers that fit, around `wanted`, where one exists: multiples of `unit`.
std::string NearestMultiples(int64_t wanted, int64_t unit) {
  const int64_t below = wanted / unit * unit;
  return below > 0 ? absl::StrCat(below, ", ", below + unit) : absl::StrCat(below + unit);
}

void CheckTransformer(const std::string& path, absl::string_view width_field, absl::string_view depth_field,
                      absl::string_view heads_field, int width, int depth, int heads, Report* report) {
  report->InRange(absl::StrCat(path, depth_field), depth, 1, 1000);
  if (!report->InRange(absl::StrCat(path, heads_field), heads, 1, 1024)) return;
  if (!report->InRange(absl::StrCat(path, width_field), width, 4, 65536)) return;
  const int64_t unit = heads % 4 == 0 ? heads : heads % 2 == 0 ? heads * 2 : heads * 4;
  if (width % 4 != 0 || width % heads != 0) {
    report->Add(absl::StrCat(path, width_field), width, " is not a multiple of 4 and of ", heads,
                " heads; nearest that fit: ", NearestMultiples(width, unit));
  }
}

void CheckEncoder(const JobSpec& spec, Report* report) {
  if (!spec.encoder().has_vit()) {
    report->Add("encoder", "missing; e.g. encoder { vit { width: 768 depth: 12 heads: 12 } }");
    return;
  }
  const VitSpec& vit = spec.encoder().vit();
  CheckTransformer("encoder.vit.", "width", "depth", "heads", vit.width(), vit.depth(), vit.heads(), report);
  report->InRange("encoder.vit.mlp_ratio", vit.mlp_ratio(), 0.01, 64.0);
  if (!report->InRange("encoder.vit.patch_px", vit.patch_px(), 1, 1024)) return;
  const int image_px = spec.data().image_px();
  if (image_px < 8) return;
  if (image_px % vit.patch_px() != 0) {
    report->Add("encoder.vit.patch_px", vit.patch_px(), " does not divide data.image_px ", image_px,
                "; nearest image sizes that fit: ", NearestMultiples(image_px, vit.patch_px()));
  }
}

void CheckMask(const JobSpec& spec, Report* report) {
  const double hidden = spec.mask().hidden_fraction();
  if (!(hidden > 0 && hidden < 1)) {
    report->Add("mask.hidden_fraction", hidden, " is not between 0 and 1 (both excluded)");
    return;
  }
  const VitSpec& vit = spec.encoder().vit();
  if (vit.patch_px() < 1 || spec.data().image_px() % vit.patch_px() != 0) return;
  const int side = spec.data().image_px() / vit.patch_px();
  const int patches = side * side;
  const int visible = static_cast<int>(patches * (1 - hidden));
  if (visible < 1 || visible >= patches) {
    report->Add("mask.hidden_fraction", hidden, " of ", patches, " patches leaves ", visible, " visible; at least 1 visible and 1 hidden");
  }
}

void CheckObjectives(const JobSpec& spec, Report* report) {
  if (spec.objective().empty()) {
    report->Add("objective", "missing; at least one, e.g. objective { reconstruction {} }");
  }
  std::set<std::string> names;
  for (int i = 0; i < spec.objective_size(); ++i) {
    const ObjectiveSpec& objective = spec.objective(i);
    const std::string path = absl::StrCat("objective[", objective.name().empty() ? absl::StrCat(i) : objective.name(), "]");
    if (objective.kind_case() == ObjectiveSpec::KIND_NOT_SET) {
      report->Add(path, "says not what it is; one of reconstruction {}, mimic {}");
      continue;
    }
    if (!IsName(objective.name(), true)) report->Add(path + ".name", "\"", objective.name(), "\" is not [a-z0-9_]{1,32}");
    if (!names.insert(objective.name()).second) report->Add(path + ".name", "another objective has this name");
    if (!(objective.weight() > 0 && std::isfinite(objective.weight()))) {
      report->Add(path + ".weight", objective.weight(), " is not above 0");
    }
    if (objective.has_mimic() && !IsName(objective.mimic().teacher(), false)) {
      report->Add(path + ".mimic.teacher", "\"", objective.mimic().teacher(), "\" is not a teacher's name, [A-Za-z0-9_.-]{1,64}");
    }
    if (objective.has_reconstruction()) {
      const ReconstructionSpec& decoder = objective.reconstruction();
      CheckTransformer(path + ".reconstruction.", "decoder_width", "decoder_depth", "decoder_heads", decoder.decoder_width(),
                       decoder.decoder_depth(), decoder.decoder_heads(), report);
    }
  }
}

void CheckOptimizer(const OptimizerSpec& optimizer, Report* report) {
  const AdamWSpec& adamw = optimizer.adamw();
  report->InRange("optimizer.adamw.base_rate", adamw.base_rate(), 0.0, 1e3);
  report->InRange("optimizer.adamw.beta1", adamw.beta1(), 0.0, 0.999999);
  report->InRange("optimizer.adamw.beta2", adamw.beta2(), 0.0, 0.9999999);
  report->InRange("optimizer.adamw.epsilon", adamw.epsilon(), 1e-16, 1.0);
  report->InRange("optimizer.adamw.weight_decay", adamw.weight_decay(), 0.0, 1e3);
  report->InRange("optimizer.max_grad_norm", optimizer.max_grad_norm(), 0.0, 1e12);
}

void CheckSchedule(const ScheduleSpec& schedule, Report* report) {
  if (schedule.has_epochs() == schedule.has_steps()) {
    report->Add("schedule", schedule.has_epochs() ? "both epochs and steps are given; exactly one"
                                                  : "neither epochs nor steps is given; exactly one");
  }
  if (schedule.has_epochs() && !(schedule.epochs() > 0 && schedule.epochs() <= 1e6)) {
    report->Add("schedule.epochs", schedule.epochs(), " is not above 0 and at most 1000000");
  }
  if (schedule.has_steps()) report->InRange<int64_t>("schedule.steps", schedule.steps(), 1, int64_t{1} << 40);
  if (schedule.has_warmup_epochs() && !schedule.has_epochs()) report->Add("schedule.warmup_epochs", "goes with epochs; use warmup_steps");
  if (schedule.has_warmup_steps() && !schedule.has_steps()) report->Add("schedule.warmup_steps", "goes with steps; use warmup_epochs");
  if (schedule.has_epochs() && schedule.has_warmup_epochs()) {
    report->InRange("schedule.warmup_epochs", schedule.warmup_epochs(), 0.0, schedule.epochs());
  }
  if (schedule.has_steps() && schedule.has_warmup_steps()) {
    report->InRange<int64_t>("schedule.warmup_steps", schedule.warmup_steps(), 0, schedule.steps());
  }
  report->InRange("schedule.min_rate", schedule.min_rate(), 0.0, 1e3);
}

void CheckRest(const JobSpec& spec, Report* report) {
  if (!IsName(spec.name(), false)) report->Add("name", "\"", spec.name(), "\" is not [A-Za-z0-9_.-]{1,64}");
  report->AtLeast("checkpoint.every_steps", spec.checkpoint().every_steps(), 0);
  report->InRange("checkpoint.keep_last", spec.checkpoint().keep_last(), 1, limits::kCheckpointsPerJob);
  const EvaluationSpec& evaluation = spec.evaluation();
  report->InRange("evaluation.knn_k", evaluation.knn_k(), 1, 1000);
  report->InRange("evaluation.knn_temperature", evaluation.knn_temperature(), 1e-4, 1e4);
  report->AtLeast("evaluation.every_steps", evaluation.every_steps(), 0);
  report->AtLeast("evaluation.max_images", evaluation.max_images(), 0);
}

void CheckResources(const JobSpec& spec, Report* report) {
  const ResourceSpec& resources = spec.resources();
  report->InRange("resources.threads_per_rank", resources.threads_per_rank(), 1, 1024);
  if (resources.device() == DEVICE_UNSPECIFIED) report->Add("resources.device", "one of DEVICE_AUTO, DEVICE_CPU, DEVICE_CUDA");
  if (resources.precision() == PRECISION_UNSPECIFIED) report->Add("resources.precision", "one of PRECISION_FP32, PRECISION_BF16");
  report->AtLeast("resources.max_restarts", resources.max_restarts(), 0);
  if (!report->InRange("resources.num_ranks", resources.num_ranks(), 1, limits::kRanksPerJob)) return;
  const int64_t ranks = resources.num_ranks(), global_batch = spec.data().global_batch();
  if (global_batch < 1) return;
  if (global_batch < ranks) {
    report->Add("data.global_batch", global_batch, " is smaller than ", ranks, " ranks; nearest that fits: ", ranks);
    return;
  }
  if (!resources.has_micro_batch()) {  // then its default, global_batch / num_ranks, is not whole
    report->Add("data.global_batch", global_batch, " is not a multiple of ", ranks, " ranks; nearest that fit: ",
                NearestMultiples(global_batch, ranks));
    return;
  }
  const int64_t micro = resources.micro_batch();
  if (!report->AtLeast("resources.micro_batch", micro, 1)) return;
  if (global_batch % (ranks * micro) != 0) {
    report->Add("data.global_batch", global_batch, " is not a multiple of ", ranks, " ranks x micro-batch ", micro,
                "; nearest that fit: ", NearestMultiples(global_batch, ranks * micro));
  }
}

}  // namespace

std::vector<std::string> Problems(const JobSpec& spec) {
  Report report;
  CheckData(spec.data(), &report);
  CheckViews(spec.views(), &report);
  CheckEncoder(spec, &report);
  CheckMask(spec, &report);
  CheckObjectives(spec, &report);
  CheckOptimizer(spec.optimizer(), &report);
  CheckSchedule(spec.schedule(), &report);
  CheckResources(spec, &report);
  CheckRest(spec, &report);
  CheckPaths(spec, &report);
  return report.Take();
}

}  // namespace mimeo
