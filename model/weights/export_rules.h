// Which encoders a layout of weights files can hold. Pure functions; no torch.
#pragma once

#include <string>
#include <vector>

#include "model/weights/layout.h"
#include "proto/job.pb.h"

namespace mimeo {

enum class WeightsLayout;  // model/weights.h

// What stands in the way, each reason with the field of the job. Empty: the layout can hold the encoder.
std::vector<std::string> WhyNotExported(WeightsLayout layout, const JobSpec& spec);

// The names that an exported file of this layout has.
Layout ExportedNames(WeightsLayout layout);

// The only reconstruction objective of the job, if it has MAE's decoder. nullptr: there is none, there are several, or
// it is linear. It points into `spec`.
const ObjectiveSpec* OnlyReconstruction(const JobSpec& spec);

}  // namespace mimeo
