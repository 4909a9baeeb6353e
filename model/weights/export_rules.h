// Which encoders a layout of weights files can hold. Pure functions; no torch.
#pragma once

#include <string>
#include <vector>

#include "model/weights/layout.h"
#include "proto/job.pb.h"

namespace mimeo {

enum class WeightsLayout;  // model/weights.h

// What stands in the way, each with the field of the job; empty: nothing does.
std::vector<std::string> WhyNotExported(WeightsLayout layout, const JobSpec& spec);

// The names of an exported file.
Layout ExportedNames(WeightsLayout layout);

// The only reconstruction objective of the job, where it has MAE's decoder; nullptr: there is none such, or more than
// one.
const ObjectiveSpec* OnlyReconstruction(const JobSpec& spec);

}  // namespace mimeo
