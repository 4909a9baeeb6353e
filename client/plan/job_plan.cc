#include "client/plan/job_plan.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/print.h"
#include "client/number_text.h"
#include "job/device_peaks.h"
#include "job/flops.h"
#include "job/job_shape.h"

namespace mimeo {
namespace {

constexpr size_t kRefusedNamed = 5;  // the plan has a line for each

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

// The ranks take turns on the cores, and each needs its memory all the same.
void JudgeCores(JobPlan* plan) {
  const Place& place = plan->facts.place;
  if (place.device == DEVICE_CUDA && place.slots > 0 && plan->num_ranks > place.slots) {
    plan->problems.push_back(absl::StrCat(plan->num_ranks, " ranks, and ", place.slots, " GPUs for them"));
  }
  if (place.cores == 0 || plan->num_ranks <= place.cores) return;
  const std::string faster = FlagsForRanks(plan->facts.spec, place, plan->facts.images, place.cores);
  plan->warnings.push_back(absl::StrCat(plan->num_ranks, " workers on ", Counted(place.cores, "core"),
                                        " take turns, and need memory for each",
                                        faster.empty() ? "" : absl::StrCat("; ", faster, " is faster")));
}

// Of a cluster: whether the job will ever be placed there, and whether now.
void JudgeSlots(JobPlan* plan) {
  const Place& place = plan->facts.place;
  if (!place.cluster || place.slots >= plan->num_ranks) return;
  const std::vector<WorkerFit>& workers = plan->facts.workers;
  if (place.slots_in_all == 0) {
    std::vector<std::string> refused;
    refused.reserve(workers.size());
    for (const WorkerFit& worker : workers) refused.push_back(absl::StrCat(worker.id, " ", worker.refused));
    if (refused.size() > kRefusedNamed) refused.resize(kRefusedNamed);
    plan->problems.push_back(workers.empty() ? "workers: none has registered, and the job would wait for one"
                                             : absl::StrCat("workers: none of ", workers.size(),
                                                            " suits, and the job would wait for one that does: ",
                                                            absl::StrJoin(refused, ", ")));
    return;
  }
  const std::string wants = absl::StrCat("it wants ", Counted(plan->num_ranks, "slot"), " at once, and ");
  if (place.slots_in_all < plan->num_ranks) {
    plan->problems.push_back(absl::StrCat("slots: ", wants, "the workers that suit have ", place.slots_in_all,
                                          " in all, so the job would wait for ever"));
    return;
  }
  plan->warnings.push_back(
      absl::StrCat("the job waits: ", wants, place.slots, place.slots == 1 ? " is" : " are", " free"));
}

// What the place lacks: no fewer ranks and no smaller batches make that right.
std::vector<std::string> DeviceProblems(const JobSpec& spec, const Place& place) {
  std::vector<std::string> problems;
  if (spec.resources().device() == DEVICE_CUDA && SharesMemory(place)) {
    problems.emplace_back("resources.device: DEVICE_CUDA, and this machine has no CUDA device");
  }
  if (spec.resources().precision() == PRECISION_BF16 && !place.bfloat16) {
    problems.push_back(absl::StrCat("resources.precision: PRECISION_BF16, and ",
                                    place.device_name.empty() ? "this place" : place.device_name,
                                    " has no bfloat16 products"));
  }
  return problems;
}

void Judge(JobPlan* plan) {
  const JobSpec& spec = plan->facts.spec;
  const Place& place = plan->facts.place;
  if (plan->facts.images > 0 && plan->facts.images < spec.data().global_batch()) {
    plan->problems.push_back(absl::StrCat(plan->facts.images, " images, fewer than data.global_batch ",
                                          spec.data().global_batch(), ": an epoch has no step"));
  }
  for (std::string& problem : DeviceProblems(spec, place)) plan->problems.push_back(std::move(problem));
  if (place.memory_bytes > 0 && plan->all_ranks_peak_bytes > place.memory_bytes) {
    const std::string who = SharesMemory(place) && plan->num_ranks > 1 ? absl::StrCat(plan->num_ranks, " ranks need ")
                                                                       : std::string("a rank needs ");
    plan->problems.push_back(absl::StrCat("memory: ", who, BytesText(plan->all_ranks_peak_bytes), ", and ",
                                          BytesText(place.memory_bytes),
                                          SharesMemory(place) ? " is free" : " is there"));
  }
  JudgeCores(plan);
  JudgeSlots(plan);
  const bool has_room = !place.cluster || place.slots_in_all > 0;
  const bool waits = place.cluster && place.slots < plan->num_ranks;
  if (has_room && (waits || !plan->problems.empty())) {
    plan->remedies = WhatWouldFit(spec, place, plan->facts.images, ScaleOf(*plan));
  }
}

// "; would fit: ...", or that nothing does. `would` is "would fit".
std::string RemediesText(const JobPlan& plan, absl::string_view would) {
  const Remedies& remedies = plan.remedies;
  if (!remedies.proposals.empty()) return absl::StrCat("; ", would, ": ", absl::StrJoin(remedies.proposals, ", or "));
  return remedies.none.empty() ? "" : "; " + remedies.none;
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
  plan.all_ranks_peak_bytes = AllRanksBytes(plan.facts.place, plan.num_ranks, plan.memory, steps_bytes);
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
  const JobPlan plan = MakeJobPlan(std::move(facts));
  std::vector<std::string> warnings = plan.warnings;
  if (!DeviceProblems(resolved, place).empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(absl::StrJoin(plan.problems, "; "), RemediesText(plan, "would be right")));
  }
  if (place.memory_bytes == 0 || plan.all_ranks_peak_bytes <= place.memory_bytes) return warnings;
  const std::string text = absl::StrJoin(plan.problems, "; ");
  const std::string fits = RemediesText(plan, "would fit");
  RankMemory half = plan.memory;
  half.activations /= 2;
  // Nobody knows yet whether it makes more steps than one checkpoint's.
  if (plan.steps == 0) half.checkpoint_beside_steps = false;
  const int64_t at_least = half.steps();
  if (AllRanksBytes(place, plan.num_ranks, half, at_least) > place.memory_bytes) {
    warnings.push_back(absl::StrCat(text, fits));
    return absl::InvalidArgumentError(absl::StrJoin(warnings, "\n"));
  }
  warnings.push_back(absl::StrCat("by estimate ", text, fits));
  return warnings;
}

}  // namespace mimeo
