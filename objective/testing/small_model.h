// A small encoder with objectives, in float64, and made-up images for it: for tests of objectives. One thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/encoder.h"
#include "model/parameters.h"
#include "objective/objective.h"
#include "proto/job.pb.h"

namespace mimeo::testing {

constexpr int kImagePx = 16, kPatchPx = 4, kPatches = 16, kVisible = 5, kTeacherWidth = 6;

// Each adds an objective with every field set, as job/defaults.cc would (which objective/ may not see), and returns it.
ReconstructionSpec* AddPixels(const std::string& name, double weight, JobSpec* spec);
MimicSpec* AddMimic(const std::string& name, const std::string& teacher, double weight, JobSpec* spec);
ContrastiveSpec* AddInfoNce(const std::string& name, double weight, JobSpec* spec);
ContrastiveSpec* AddCosine(const std::string& name, double weight, JobSpec* spec);
SelfDistillationSpec* AddSelfDistillation(const std::string& name, double weight, JobSpec* spec);

struct SmallModelOptions {
  uint64_t seed = 3;
  int depth = 1;
  bool class_token = true;
  bool mask_token = false;
  std::vector<std::string> taught = {"clip_tokens"};  // objectives that have a teacher
};

// An encoder of width 8 on 4 x 4 patches of 4 px with the objectives of `spec`; where it has ema, an averaged one
// beside it, of other weights, so that a test can tell them apart.
struct SmallModel {
  explicit SmallModel(JobSpec objectives, const SmallModelOptions& options = {});

  // Each of `views` under `masks` plans with 5 of 16 patches visible, views outermost; teacher tokens (with a class
  // token's row where the mimic wants it) for every taught objective.
  ForwardPass Forward(const std::vector<at::Tensor>& views, int masks = 1) const;

  // The objective's term of the loss.
  double Term(const ForwardPass& pass, const std::string& name) const;

  JobSpec spec;
  SmallModelOptions options;
  Parameters parameters, averaged;
  std::unique_ptr<Encoder> encoder, average;
  absl::StatusOr<std::unique_ptr<ObjectiveSum>> sum;

 private:
  ViewInput Input(const at::Tensor& images_BCHW, int view, int mask) const;
};

at::Tensor Images(int batch, double phase);

// Of every parameter: its gradient's largest entry against the slope of `total`.
void ExpectGradientsAreSlopes(const Parameters& parameters, const std::function<at::Tensor()>& total);

}  // namespace mimeo::testing
