#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/columns.h"
#include "base/json_text.h"
#include "base/print.h"
#include "base/text.h"
#include "client/number_text.h"
#include "client/plan/job_plan.h"

namespace mimeo {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kColumns = 80, kLabel = 14;

// A label and what belongs to it, in as many lines as 80 columns need.
class Lines {
 public:
  void Add(const std::string& label, const std::string& value) {
    std::string line = label;
    line.resize(std::max(line.size() + 1, kLabel), ' ');
    size_t used = line.size();
    bool first = true;
    for (const absl::string_view word : absl::StrSplit(ToText(value), ' ', absl::SkipEmpty())) {
      const size_t width = ColumnsOf(word);
      if (!first && used + 1 + width > kColumns) {
        absl::StrAppend(&line, "\n", std::string(kLabel, ' '));
        used = kLabel;
        first = true;
      }
      absl::StrAppend(&line, first ? "" : " ", word);
      used += width + (first ? 0 : 1);
      first = false;
    }
    absl::StrAppend(&text_, line, "\n");
  }
  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
};

std::string TrainingText(const JobPlan& plan) {
  const JobSpec& spec = plan.facts.spec;
  const std::string epochs = absl::StrCat(NumberText(spec.schedule().epochs()), " epochs");
  if (plan.steps == 0 && plan.facts.images > 0) {
    return absl::StrCat(epochs, " of ", plan.facts.images, " images: no step, because a batch has ",
                        spec.data().global_batch());
  }
  if (plan.steps == 0) return epochs + "; how many steps, only the photos can tell: --data PATH";
  std::string text = absl::StrCat(plan.steps, " steps of ", spec.data().global_batch(), " images");
  if (plan.steps_per_epoch > 0) {
    absl::StrAppend(&text, ": ", NumberText(plan.epochs), " epochs of ", plan.facts.images, " images");
  }
  return absl::StrCat(text, "; ", CountText(static_cast<double>(plan.images_seen)), " images seen");
}

std::string ShareText(const JobPlan& plan) {
  return absl::StrCat(plan.num_ranks, plan.num_ranks == 1 ? " rank" : " ranks", " x ", plan.micro_batch, " images x ",
                      plan.accumulation, plan.accumulation == 1 ? " micro-batch" : " micro-batches", ", ",
                      plan.facts.spec.resources().precision() == PRECISION_BF16 ? "bfloat16" : "float32");
}

std::string ModelText(const JobPlan& plan) {
  const ParameterCounts& counts = plan.parameters;
  std::string text = absl::StrCat(CountText(static_cast<double>(counts.encoder)), " parameters of the encoder, ",
                                  CountText(static_cast<double>(counts.heads)), " of heads and decoders");
  if (counts.averaged > 0) absl::StrAppend(&text, ", ", CountText(static_cast<double>(counts.averaged)), " averaged");
  return text;
}

std::string ArithmeticText(const JobPlan& plan) {
  const double step = plan.gflop_per_image * static_cast<double>(plan.facts.spec.data().global_batch()) * 1e9;
  std::string text =
      absl::StrCat(NumberText(plan.gflop_per_image), " GFLOP an image, ", CountText(step), "FLOP a step");
  if (plan.steps > 0) {
    absl::StrAppend(&text, ", ", CountText(step * static_cast<double>(plan.steps)), "FLOP in all");
  }
  return text;
}

std::string MemoryText(const JobPlan& plan) {
  const bool measured = plan.measured && plan.facts.probe->peak_memory_bytes > 0;
  const RankMemory& memory = plan.memory;
  std::string text = absl::StrCat("a rank ", BytesText(plan.rank_peak_bytes),
                                  measured ? " (measured, " : " (estimate, ", "with the copy of a checkpoint)");
  if (plan.all_ranks_peak_bytes != plan.rank_peak_bytes) {
    absl::StrAppend(&text, ", all ", plan.num_ranks, " ", BytesText(plan.all_ranks_peak_bytes));
  }
  if (plan.facts.place.memory_bytes > 0) {
    absl::StrAppend(&text, plan.facts.place.cores > 0 ? "; free here " : "; there are ",
                    BytesText(plan.facts.place.memory_bytes));
  }
  return absl::StrCat(text, "; of the estimate: activations ", BytesText(memory.activations), ", weights ",
                      BytesText(memory.weights), ", gradients ", BytesText(memory.gradients), ", AdamW ",
                      BytesText(memory.moments));
}

std::string TimeText(const JobPlan& plan) {
  if (plan.images_per_second == 0) return absl::StrCat("not known: ", plan.facts.why_no_probe);
  std::string text = plan.seconds > 0 ? DurationText(plan.seconds) + " without evaluations: " : "";
  absl::StrAppend(&text, NumberText(plan.images_per_second), " images/s");
  if (plan.measured) {
    const Probe& probe = *plan.facts.probe;
    return absl::StrCat(text, ", measured over ", Counted(probe.steps, "step"), " of ", NumberText(probe.step_seconds),
                        " s");
  }
  return absl::StrCat(text, absl::StrFormat(", estimate, never measured: %.0f %% of the peak of %s",
                                            100 * AssumedShareOfPeak(plan.facts.spec.resources().precision()),
                                            plan.facts.place.device_name));
}

Json OrNull(double value) { return value > 0 ? Json(value) : Json(nullptr); }
Json OrNull(int64_t value) { return value > 0 ? Json(value) : Json(nullptr); }

Json MemoryJson(const JobPlan& plan) {
  const RankMemory& memory = plan.memory;
  return {{"rank_bytes", plan.rank_peak_bytes},
          {"all_ranks_bytes", plan.all_ranks_peak_bytes},
          {"measured", plan.measured && plan.facts.probe->peak_memory_bytes > 0},
          {"available_bytes", OrNull(plan.facts.place.memory_bytes)},
          {"estimate",
           {{"process", memory.process},
            {"weights", memory.weights},
            {"gradients", memory.gradients},
            {"moments", memory.moments},
            {"averages", memory.averages},
            {"activations", memory.activations},
            {"images", memory.images},
            {"checkpoint_copy", memory.checkpoint},
            {"peak", memory.Peak()}}}};
}

Json TimeJson(const JobPlan& plan) {
  Json time = {{"images_per_second", OrNull(plan.images_per_second)},
               {"seconds", OrNull(plan.seconds)},
               {"how", plan.images_per_second == 0 ? "not known"
                       : plan.measured             ? "measured"
                                                   : "estimate, never measured"},
               {"why_not_measured", plan.measured ? Json(nullptr) : Json(plan.facts.why_no_probe)},
               {"probe", nullptr}};
  if (!plan.facts.probe.has_value()) return time;
  const Probe& probe = *plan.facts.probe;
  time["probe"] = {{"steps", probe.steps},
                   {"step_seconds", probe.step_seconds},
                   {"start_seconds", probe.start_seconds},
                   {"peak_memory_bytes", probe.peak_memory_bytes}};
  return time;
}

}  // namespace

std::string JobPlanText(const JobPlan& plan) {
  const JobSpec& spec = plan.facts.spec;
  Lines lines;
  lines.Add("job", absl::StrCat(spec.name(), ", on ", plan.facts.place.name));
  lines.Add("training", TrainingText(plan));
  lines.Add("a step", ShareText(plan));
  lines.Add("model", ModelText(plan));
  lines.Add("arithmetic", ArithmeticText(plan));
  lines.Add("memory", MemoryText(plan));
  lines.Add("disk", absl::StrCat(BytesText(plan.checkpoint_bytes), " a checkpoint, ", plan.checkpoints_kept,
                                 " kept: ", BytesText(plan.checkpoint_bytes * plan.checkpoints_kept), " in the store"));
  lines.Add("time", TimeText(plan));
  for (const WorkerFit& worker : plan.facts.workers) {
    lines.Add("worker",
              absl::StrCat(worker.id, worker.device_name.empty() ? "" : ", ", worker.device_name, ": ",
                           worker.refused.empty() ? Counted(worker.slots, "free slot") + ", suits" : worker.refused));
  }
  for (const std::string& warning : plan.warnings) lines.Add("note", warning);
  for (const std::string& problem : plan.problems) lines.Add("does not fit", problem);
  const Remedies& remedies = plan.remedies;
  if (!remedies.proposals.empty()) lines.Add("would fit", absl::StrJoin(remedies.proposals, ", or "));
  if (!remedies.none.empty()) lines.Add("would fit", remedies.none);
  return lines.Take();
}

std::string JobPlanJson(const JobPlan& plan) {
  const JobSpec& spec = plan.facts.spec;
  const double batch = static_cast<double>(spec.data().global_batch());
  Json json = {{"job", spec.name()},
               {"place", plan.facts.place.name},
               {"images", OrNull(plan.facts.images)},
               {"global_batch", spec.data().global_batch()},
               {"steps_per_epoch", OrNull(plan.steps_per_epoch)},
               {"steps", OrNull(plan.steps)},
               {"epochs", OrNull(plan.epochs)},
               {"images_seen", OrNull(plan.images_seen)},
               {"ranks", plan.num_ranks},
               {"micro_batch", plan.micro_batch},
               {"accumulation", plan.accumulation},
               {"parameters",
                {{"encoder", plan.parameters.encoder},
                 {"heads", plan.parameters.heads},
                 {"frozen", plan.parameters.frozen},
                 {"averaged", plan.parameters.averaged}}},
               {"gflop_per_image", plan.gflop_per_image},
               {"gflop_per_step", plan.gflop_per_image * batch},
               {"gflop_in_all", OrNull(plan.gflop_per_image * batch * static_cast<double>(plan.steps))},
               {"memory", MemoryJson(plan)},
               {"checkpoint", {{"bytes", plan.checkpoint_bytes}, {"kept", plan.checkpoints_kept}}},
               {"time", TimeJson(plan)},
               {"workers", Json::array()},
               {"warnings", plan.warnings},
               {"problems", plan.problems},
               {"remedies", plan.remedies.proposals},
               {"no_remedy", plan.remedies.none.empty() ? Json(nullptr) : Json(plan.remedies.none)}};
  for (const WorkerFit& worker : plan.facts.workers) {
    json["workers"].push_back({{"id", worker.id},
                               {"device", worker.device_name},
                               {"free_slots", worker.slots},
                               {"suits", worker.refused.empty()},
                               {"why_not", worker.refused}});
  }
  return JsonText(json);
}

}  // namespace mimeo
