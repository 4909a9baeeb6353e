// What to train when a person gives photos and a time and no recipe. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/auto/ladder.h"
#include "client/auto/machine.h"
#include "client/worker_verbs/survey.h"
#include "client/worker_verbs/weights_description.h"
#include "proto/job.pb.h"

namespace mimeo {

// What the person wants.
struct Wishes {
  double minutes = 10;                        // from the start of the command to its verdict
  double hold_out = 0.1;                      // share of the photos that judge; 0 where evaluation_path has others
  std::string evaluation_path;                // photos that judge, in place of some of the data's
  int ranks = 0;                              // 0: as the machine is best used
  std::optional<WeightsDescription> start;    // weights to go on from
  std::optional<WeightsDescription> teacher;  // weights to mimic
};

// What is known of the time, before and after a probe.
struct Pace {
  // Of the whole machine, in the units of TrainingFlops. 0: not measured, and assumed.
  double flops_per_second = 0;
  double images_per_second = 0;  // as measured for Choice::size; 0: not measured
  double spent_seconds = 0;      // since the command began
  double start_seconds = 10;     // from the start of the processes to the first step
  // The choice is among the first so many sizes, or all: a second measurement must not lead back to the first.
  int sizes = 1000;
};

struct Choice {
  JobSpec spec;  // not resolved: what was chosen, and no defaults
  Method method = Method::kSimClr;
  Size size;
  int size_number = 0;     // of the ladder, from 0
  double image_flops = 0;  // TrainingFlops of it
  double images_per_second = 0;
  double epochs = 0;
  std::vector<std::string> reasons;  // five plain sentences
};

// What a recipe calls the teacher whose weights are at `path`: the name of that file or folder, without its ending and
// with an underscore for what a teacher's name cannot have. It stands in sentences such as "waits for teacher dinov2".
std::string TeacherName(const std::string& path);

// The least share of photos to hold out, so that a verdict on them says something. `asked` is what the person wants, or
// negative.
double HoldOutShare(int64_t images, double asked);

// InvalidArgument, a sentence: the photos are too few, or most of those that were tried cannot be decoded.
absl::Status CheckPhotos(const Survey& survey);

// InvalidArgument, a sentence: what CheckPhotos finds, the machine has not the memory, or these weights cannot be
// trained here.
absl::StatusOr<Choice> Choose(const Survey& survey, const Machine& machine, const Wishes& wishes, const Pace& pace);

}  // namespace mimeo
