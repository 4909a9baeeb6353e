// What a job's objectives lose on images on which it does not train. One thread.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "data/loader.h"
#include "evaluation/crop_pass.h"
#include "model/encoder.h"
#include "objective/objective.h"
#include "proto/job.pb.h"
#include "teacher/feature_source.h"

namespace mimeo {

// The parts of a model that are measured. They are observed and not owned.
struct EvaluatedModel {
  const Encoder* encoder = nullptr;
  const ObjectiveSum* objectives = nullptr;
  const Encoder* average = nullptr;  // of the encoder's weights; null: none is kept
};

// The losses are those of training on other images: views and masks are drawn in the same way, but crops come from the
// middle, with no changes of colour, no dropped paths and no gradient. Each rank sums over its own share; whoever owns
// them adds the ranks' sums and images.
class HeldOutLosses final : public CropUse {
 public:
  // Makes the views and masks of a batch as training makes them, but without drop path.
  using PassMaker = std::function<ForwardPass(const Batch& batch)>;

  // `spec` is resolved. `teachers` attach their features to each batch, and are waited for until `stop_wanted`, which
  // is polled. They and what `model` observes outlive it.
  HeldOutLosses(const JobSpec& spec, const EvaluatedModel& model, std::vector<FeatureSource*> teachers,
                PassMaker make_pass, std::function<bool()> stop_wanted);

  std::vector<CropShape> shapes() const override;
  // Cancelled: a stop was wanted. Other errors are those of FeatureSource::Attach. Objectives that compare rows compare
  // those of this batch alone, because other ranks have other numbers of rows.
  absl::Status Use(const CropBatch& batch) override;

  // For each objective, the sum of its loss over the images, without its weight. Every objective of the job is there,
  // also before the first image. Divided by images(), over all ranks, it is the held-out loss.
  const std::map<std::string, double>& sums() const { return sums_; }
  double images() const { return images_; }

 private:
  absl::Status Measure(const CropBatch& crops);

  const JobSpec spec_;
  const EvaluatedModel model_;
  const std::vector<FeatureSource*> teachers_;
  const PassMaker make_pass_;
  const std::function<bool()> stop_wanted_;
  // Of all batches so far.
  std::map<std::string, double> sums_;
  double images_ = 0;
};

}  // namespace mimeo
