// What a job will cost at a place: steps, arithmetic, memory, disk and time, what does not fit, and what would make it
// fit. Everything here is pure: the place and the probe's numbers come from outside.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/plan/fit.h"
#include "client/plan/place.h"
#include "client/plan/probe.h"
#include "job/cost.h"
#include "proto/job.pb.h"

namespace mimeo {

// What the plan is made of.
struct PlanFacts {
  JobSpec spec;  // resolved
  Place place;
  int64_t images = 0;              // that the job trains on; 0: not known
  std::optional<Probe> probe;      // absent: the rate is estimated where the place's peak is known
  std::string why_no_probe;        // for people; empty where there is one
  std::vector<WorkerFit> workers;  // of the cluster, where the place is one
};

struct JobPlan {
  PlanFacts facts;
  int num_ranks = 1;
  int64_t micro_batch = 0;
  int64_t accumulation = 0;
  int64_t steps_per_epoch = 0;  // 0: not known, as is what follows from it
  int64_t steps = 0;
  double epochs = 0;
  int64_t images_seen = 0;
  ParameterCounts parameters;
  double gflop_per_image = 0;
  RankMemory memory;                 // the estimate
  int64_t rank_peak_bytes = 0;       // of rank 0, which writes checkpoints; measured where there is a probe
  int64_t all_ranks_peak_bytes = 0;  // what they take of Place::memory_bytes together
  int64_t checkpoint_bytes = 0;
  int64_t checkpoints_kept = 0;
  double images_per_second = 0;       // 0: not known
  bool measured = false;              // by a probe; else an estimate
  double seconds = 0;                 // of the training without evaluations; 0: not known
  std::vector<std::string> problems;  // what does not fit; the job would fail or wait for ever
  std::vector<std::string> warnings;  // what is slow or waits
  Remedies remedies;                  // what would make it fit
};

// REQUIRES: MicroBatch(spec, num_ranks) > 0, which a resolved spec has.
JobPlan MakeJobPlan(PlanFacts facts);

// For a job that is about to start here: what should be said before it does, one sentence each. InvalidArgument: the
// place has not the device or the arithmetic that it asks for, or it would run out of memory even if its activations
// took half of what is estimated; the message says what would be right, or would fit.
absl::StatusOr<std::vector<std::string>> WarningsBeforeStart(const JobSpec& resolved, const Place& place);

// The plan for people, in lines of at most 80 columns.
std::string JobPlanText(const JobPlan& plan);
// As one JSON object whose numbers are numbers; what is not known is null.
std::string JobPlanJson(const JobPlan& plan);

}  // namespace mimeo
