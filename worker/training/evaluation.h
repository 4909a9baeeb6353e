// What a job measures on the way, on images that it does not train on: k-NN of the encoder's features, held-out losses, and what
// to judge them by (majority class, k-NN on raw pixels). The work is shared by the ranks. One thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "data/dataset.h"
#include "model/encoder.h"
#include "objective/objective.h"
#include "proto/job.pb.h"
#include "proto/metrics.pb.h"
#include "worker/embedding.h"
#include "worker/feature_source.h"
#include "worker/training/gang.h"

namespace mimeo {

// Observed, not owned.
struct EvaluatedModel {
  const Encoder* encoder = nullptr;
  const ObjectiveSum* objectives = nullptr;
  const Encoder* average = nullptr;  // of the encoder's weights; null: none is kept
};

class Evaluation {
 public:
  // Opens the data set of a field of the spec. What it opens may wait in Read; Cancelled of that is an evaluation's too.
  using Opener = std::function<absl::StatusOr<std::unique_ptr<Dataset>>(const std::string& field, const std::string& path)>;
  // Errors are those of `open` for evaluation.path and evaluation.bank_path. REQUIRES: spec has evaluation.path.
  static absl::StatusOr<std::unique_ptr<Evaluation>> Open(const JobSpec& spec, at::Device device, const Opener& open);

  // Every rank calls it; every rank gets the same values. Without labels there is no k-NN among them. `teachers` serve the
  // held-out mimic loss, and are measured themselves. Keys: knn_accuracy (= knn_accuracy_patch_mean), knn_accuracy_class, knn_raw_pixels, majority_rate,
  // knn_teacher/<objective> (what that mimics, of all patches; not of a teacher that draws masks),
  // held_out_loss/<objective>, images; effective_rank of the held-out mean features (1: collapsed, at
  // most D); ema_ before a key: of the average.
  absl::StatusOr<EvaluationResult> Run(int64_t step, const EvaluatedModel& model, const std::vector<FeatureSource*>& teachers,
                                       Gang* gang);

 private:
  struct Features;
  Evaluation(const JobSpec& spec, at::Device device) : spec_(spec), device_(device) {}
  absl::Status AddNeighbours(const std::string& prefix, const Encoder& encoder, Gang* gang, EvaluationResult* result);
  absl::Status AddTeacher(FeatureSource* teacher, Gang* gang);
  absl::Status AddBaselines(const std::vector<FeatureSource*>& teachers, Gang* gang);
  absl::StatusOr<double> Neighbours(const Features& bank, const Features& held_out) const;  // k-NN of the mean patch tokens
  absl::StatusOr<Features> Embed(const Dataset& dataset, const Encoder& encoder, Gang* gang) const;
  absl::StatusOr<Features> Gather(const Dataset& dataset, const Embeddings& own, Gang* gang) const;
  absl::Status AddHeldOutLosses(const EvaluatedModel& model, const std::vector<FeatureSource*>& teachers, Gang* gang, EvaluationResult* result);
  int64_t Images(const Dataset& dataset) const;
  EmbedOptions Share(const Dataset& dataset, const Gang& gang) const;
  bool labelled() const;

  const JobSpec spec_;
  const at::Device device_;
  std::unique_ptr<Dataset> held_out_;
  std::unique_ptr<Dataset> bank_;
  std::map<std::string, double> baselines_;  // do not depend on the encoder: measured once
};

}  // namespace mimeo
