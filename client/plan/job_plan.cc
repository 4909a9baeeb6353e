#include "client/plan/job_plan.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "job/device_peaks.h"
#include "job/flops.h"
#include "job/job_shape.h"

namespace mimeo {
namespace {

// On a CPU the ranks share one memory, and one of them writes checkpoints.
bool SharesMemory(const Place& place) { return place.device != DEVICE_CUDA && place.cores > 0; }

int64_t AllRanks(const JobPlan& plan, int ranks, const RankMemory& memory, int64_t steps_bytes) {
  if (!SharesMemory(plan.facts.place)) return memory.Peak(steps_bytes);
  return memory.Peak(steps_bytes) + (ranks - 1) * steps_bytes;
}

RankMemory EstimateFor(const JobPlan& plan, const JobSpec& spec, int ranks) {
  return EstimateRankMemory(spec, ranks, plan.facts.place.device, plan.steps, {});
}

// How much more, or less, the probe measured of activations than is estimated.
double ScaleOf(const JobPlan& plan) {
  if (!plan.measured || plan.facts.probe->peak_memory_bytes == 0) return 1;
  const RankMemory& memory = plan.memory;
  const double fixed = static_cast<double>(memory.fixed());
  const double measured = static_cast<double>(plan.facts.probe->peak_memory_bytes);
  return std::clamp((measured - fixed) / static_cast<double>(std::max<int64_t>(1, memory.activations)), 0.2, 5.0);
}

// The estimate for a variation of the job, corrected by what the probe showed.
int64_t Corrected(const JobPlan& plan, RankMemory memory) {
  memory.activations = static_cast<int64_t>(ScaleOf(plan) * static_cast<double>(memory.activations));
  return memory.steps();
}

int64_t NeedsOf(const JobPlan& plan, const JobSpec& spec, int ranks) {
  const RankMemory memory = EstimateFor(plan, spec, ranks);
  return AllRanks(plan, ranks, memory, Corrected(plan, memory));
}

// "--set resources.micro_batch=16" for so many ranks, or what stands for it where samples are mixed; behind the flags
// `with`, which the spec has already.
void AddMicroBatch(const JobPlan& plan, const JobSpec& spec, int ranks, const std::string& with,
                   std::vector<std::string>* out) {
  const int64_t room = plan.facts.place.memory_bytes;
  const int64_t each = SharesMemory(plan.facts.place) ? room / ranks : room;
  const int64_t largest = LargestMicroBatch(spec, ranks, plan.facts.place.device, plan.steps, {}, each, ScaleOf(plan));
  if (largest == 0 || largest >= MicroBatch(spec, ranks)) return;
  const std::string flag = MixesSamples(spec) ? absl::StrCat("--set data.contrast_group=", largest * ranks,
                                                             " (fewer images are compared with each other)")
                                              : absl::StrCat("--set resources.micro_batch=", largest);
  out->push_back(with.empty() ? flag : absl::StrCat(with, " ", flag));
}

// The largest number of ranks, at most `most`, that can share the batches; 0: none can.
int RanksUpTo(const JobSpec& spec, int most) {
  while (most > 0 && MicroBatch(spec, most) == 0) --most;
  return most;
}

// Fewer ranks: as many as there are cores with smaller micro-batches, or as many as fit as they are.
void AddFewerRanks(JobPlan* plan) {
  const JobSpec& spec = plan->facts.spec;
  const int64_t room = plan->facts.place.memory_bytes;
  const int on_cores = RanksUpTo(spec, std::min(plan->num_ranks - 1, plan->facts.place.cores));
  if (on_cores > 0 && NeedsOf(*plan, spec, on_cores) > room) {
    AddMicroBatch(*plan, spec, on_cores, absl::StrCat("--workers ", on_cores), &plan->remedies);
  }
  int ranks = RanksUpTo(spec, plan->num_ranks - 1);
  while (ranks > 0 && NeedsOf(*plan, spec, ranks) > room) ranks = RanksUpTo(spec, ranks - 1);
  if (ranks > 0) plan->remedies.push_back(absl::StrCat("--workers ", ranks));
}

void AddRemedies(JobPlan* plan) {
  const JobSpec& spec = plan->facts.spec;
  AddMicroBatch(*plan, spec, plan->num_ranks, "", &plan->remedies);
  const std::string recompute = "--set resources.activation_checkpointing=true";
  JobSpec recomputing = spec;
  recomputing.mutable_resources()->set_activation_checkpointing(true);
  if (!spec.resources().activation_checkpointing()) {
    if (NeedsOf(*plan, recomputing, plan->num_ranks) <= plan->facts.place.memory_bytes) {
      plan->remedies.push_back(recompute + " (a third more arithmetic)");
    } else if (plan->remedies.empty()) {
      AddMicroBatch(*plan, recomputing, plan->num_ranks, recompute, &plan->remedies);
    }
  }
  if (SharesMemory(plan->facts.place)) AddFewerRanks(plan);
}

// The ranks take turns on the cores, and each needs its memory all the same.
void JudgeCores(JobPlan* plan) {
  const Place& place = plan->facts.place;
  if (place.device == DEVICE_CUDA && place.slots > 0 && plan->num_ranks > place.slots) {
    plan->problems.push_back(absl::StrCat(plan->num_ranks, " ranks, and ", place.slots, " GPUs for them"));
  }
  if (place.cores == 0 || plan->num_ranks <= place.cores) return;
  const int ranks = std::max(1, RanksUpTo(plan->facts.spec, place.cores));
  plan->warnings.push_back(absl::StrCat(plan->num_ranks, " workers on ", place.cores,
                                        place.cores == 1 ? " core" : " cores",
                                        " take turns, and need memory for each; --workers ", ranks, " is faster"));
}

void JudgeSlots(JobPlan* plan) {
  const Place& place = plan->facts.place;
  if (plan->facts.workers.empty() || place.slots >= plan->num_ranks) return;
  const int ranks = RanksUpTo(plan->facts.spec, place.slots);
  plan->warnings.push_back(absl::StrCat("the job waits: it wants ", plan->num_ranks, " slots at once, and ",
                                        place.slots, place.slots == 1 ? " is" : " are", " free"));
  if (ranks > 0) plan->remedies.push_back(absl::StrCat("--workers ", ranks));
}

// What no fewer ranks and no smaller batches make right.
void JudgeDevice(JobPlan* plan) {
  const ResourceSpec& resources = plan->facts.spec.resources();
  const Place& place = plan->facts.place;
  if (resources.device() == DEVICE_CUDA && SharesMemory(place)) {
    plan->problems.push_back("resources.device: DEVICE_CUDA, and this machine has no CUDA device");
    plan->remedies.emplace_back("--set resources.device=DEVICE_AUTO");
  }
  if (resources.precision() == PRECISION_BF16 && !place.bfloat16) {
    plan->problems.push_back(absl::StrCat("resources.precision: PRECISION_BF16, and ",
                                          place.device_name.empty() ? "this place" : place.device_name,
                                          " has no bfloat16 products"));
    plan->remedies.emplace_back("--set resources.precision=PRECISION_FP32");
  }
}

void Judge(JobPlan* plan) {
  const JobSpec& spec = plan->facts.spec;
  const Place& place = plan->facts.place;
  if (plan->facts.images > 0 && plan->facts.images < spec.data().global_batch()) {
    plan->problems.push_back(absl::StrCat(plan->facts.images, " images, fewer than data.global_batch ",
                                          spec.data().global_batch(), ": an epoch has no step"));
    plan->remedies.push_back(absl::StrCat(
        "--set data.global_batch=", plan->num_ranks * std::max<int64_t>(1, plan->facts.images / 4 / plan->num_ranks)));
  }
  JudgeDevice(plan);
  if (place.memory_bytes > 0 && plan->all_ranks_peak_bytes > place.memory_bytes) {
    const std::string who = SharesMemory(place) && plan->num_ranks > 1 ? absl::StrCat(plan->num_ranks, " ranks need ")
                                                                       : std::string("a rank needs ");
    plan->problems.push_back(absl::StrCat("memory: ", who, BytesText(plan->all_ranks_peak_bytes), ", and ",
                                          BytesText(place.memory_bytes),
                                          SharesMemory(place) ? " is free" : " is there"));
    AddRemedies(plan);
  }
  JudgeCores(plan);
  JudgeSlots(plan);
}

// Images a second over the gang, and the seconds of the whole training.
void AddTime(JobPlan* plan) {
  const PlanFacts& facts = plan->facts;
  if (facts.probe.has_value()) {
    plan->measured = true;
    plan->images_per_second = facts.probe->images_per_second;
    if (plan->steps > 0) {
      plan->seconds = facts.probe->start_seconds + facts.probe->step_seconds * static_cast<double>(plan->steps - 1);
    }
    return;
  }
  const Precision precision = facts.spec.resources().precision();
  const double peak = PeakGflopPerSecond(facts.place.device_name, precision);
  if (peak == 0 || plan->gflop_per_image == 0) return;
  plan->images_per_second = plan->num_ranks * peak * AssumedShareOfPeak(precision) / plan->gflop_per_image;
  plan->seconds = static_cast<double>(plan->images_seen) / plan->images_per_second;
}

}  // namespace

JobPlan MakeJobPlan(PlanFacts facts) {
  JobPlan plan;
  plan.facts = std::move(facts);
  const JobSpec& spec = plan.facts.spec;
  plan.num_ranks = spec.resources().num_ranks();
  plan.micro_batch = MicroBatch(spec, plan.num_ranks);
  plan.accumulation = AccumulationSteps(spec, plan.num_ranks);
  if (plan.facts.images >= spec.data().global_batch()) plan.steps_per_epoch = StepsPerEpoch(spec, plan.facts.images);
  if (plan.steps_per_epoch > 0 || spec.schedule().has_steps()) plan.steps = TotalSteps(spec, plan.facts.images);
  plan.images_seen = plan.steps * spec.data().global_batch();
  if (plan.steps_per_epoch > 0)
    plan.epochs = static_cast<double>(plan.steps) / static_cast<double>(plan.steps_per_epoch);
  plan.parameters = CountParameters(spec, {});
  plan.gflop_per_image = TrainGflopPerImage(spec, NumVisible(spec));
  plan.memory = EstimateFor(plan, spec, plan.num_ranks);
  plan.checkpoint_bytes = CheckpointBytes(spec, {}, plan.steps_per_epoch, plan.steps);
  AddTime(&plan);
  const int64_t measured = plan.measured ? plan.facts.probe->peak_memory_bytes : 0;
  const int64_t steps_bytes = measured > 0 ? measured : plan.memory.steps();
  plan.rank_peak_bytes = plan.memory.Peak(steps_bytes);
  plan.all_ranks_peak_bytes = AllRanks(plan, plan.num_ranks, plan.memory, steps_bytes);
  const int64_t every = spec.checkpoint().every_steps();
  const int64_t made = every > 0 && plan.steps > 0 ? (plan.steps + every - 1) / every : every > 0 ? INT64_MAX : 1;
  plan.checkpoints_kept = std::min<int64_t>(made, spec.checkpoint().keep_last());
  Judge(&plan);
  return plan;
}

absl::StatusOr<std::vector<std::string>> WarningsBeforeStart(const JobSpec& resolved, const Place& place) {
  PlanFacts facts;
  facts.spec = resolved;
  facts.place = place;
  JobPlan of_device;
  of_device.facts = facts;
  JudgeDevice(&of_device);
  if (!of_device.problems.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(absl::StrJoin(of_device.problems, "; "),
                                                   "; would be right: ", absl::StrJoin(of_device.remedies, " ")));
  }
  const JobPlan plan = MakeJobPlan(std::move(facts));
  std::vector<std::string> warnings = plan.warnings;
  if (place.memory_bytes == 0 || plan.all_ranks_peak_bytes <= place.memory_bytes) return warnings;
  const std::string text = absl::StrJoin(plan.problems, "; ");
  const std::string fits = plan.remedies.empty() ? "" : "; would fit: " + absl::StrJoin(plan.remedies, ", or ");
  RankMemory half = plan.memory;
  half.activations /= 2;
  const int64_t at_least = half.steps();
  if (AllRanks(plan, plan.num_ranks, plan.memory, at_least) > place.memory_bytes) {
    warnings.push_back(absl::StrCat(text, fits));
    return absl::InvalidArgumentError(absl::StrJoin(warnings, "\n"));
  }
  warnings.push_back(absl::StrCat("by estimate ", text, fits));
  return warnings;
}

}  // namespace mimeo
