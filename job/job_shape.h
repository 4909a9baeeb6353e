// What follows from a resolved job: its grid of patches, counts, and the names of its teachers. Pure; no torch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proto/job.pb.h"

namespace mimeo {

// K = int(L * (1 - hidden_fraction)) in IEEE double, truncated: MAE's own arithmetic (models_mae.py, random_masking).
int NumVisible(int num_patches, double hidden_fraction);

// The views of each image by their numbers: element v is the group of JobSpec.views that view v belongs to. A resolved
// spec has one at least, and at most limits::kViews.
std::vector<ViewSpec> EachView(const JobSpec& spec);
// Whether such a view has the size of a training crop, so that targets can be made of it.
bool IsFullSize(const ViewSpec& view, const DataSpec& data);

// Of a training crop. REQUIRES: a resolved spec.
int PatchPx(const JobSpec& spec);
int PatchRows(const JobSpec& spec);
int PatchCols(const JobSpec& spec);
int NumPatches(const JobSpec& spec);
// s of mask.grid, which keeps one of every s x s units: the whole number nearest to 1 / sqrt(1 - hidden_fraction).
int GridStride(const JobSpec& spec);
// Patches that the encoder sees of each view and mask: whole units.
int NumVisible(const JobSpec& spec);

// Whether an objective computes with the samples of a batch together, so that data.contrast_group says which.
bool MixesSamples(const JobSpec& spec);

int64_t StepsPerEpoch(const JobSpec& spec, int64_t num_samples);
int64_t TotalSteps(const JobSpec& spec, int64_t num_samples);
int64_t AccumulationSteps(const JobSpec& spec);  // micro-batches of a rank per step

// Names of the teachers that the objectives and the mask need, sorted, without repeats.
std::vector<std::string> TeacherNames(const JobSpec& spec);

}  // namespace mimeo
