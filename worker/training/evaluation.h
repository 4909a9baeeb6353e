// What a job measures on the way, on images that it does not train on: k-NN of the encoder's features, held-out losses,
// and what to judge them by (majority class, k-NN on raw pixels). The work is shared by the ranks. One thread.
//
// The parts are evaluation/'s; here is what is the gang's: which images a rank looks at, how the ranks' rows and sums
// come together, and that all of them stop together. A rank decodes each image of its share once for all that is
// measured.
//
// k-NN has one definition everywhere, chosen beforehand: of the mean patch token, evaluation.knn_k neighbours (all of a
// bank that has fewer), evaluation.knn_temperature. Of a set of more images than evaluation.max_images the same ones
// are taken on every rank, spread over the classes (data/spread_sample.h). Images without a label take part in the
// held-out losses only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/progress.h"
#include "data/dataset.h"
#include "evaluation/crop_pass.h"
#include "evaluation/held_out_losses.h"
#include "evaluation/knn.h"
#include "proto/job.pb.h"
#include "proto/metrics.pb.h"
#include "teacher/feature_source.h"
#include "worker/training/gang.h"

namespace mimeo {

// Who looks on. Observed, not owned.
struct EvaluationWatch {
  std::function<bool()> stop_wanted = [] { return false; };  // polled: a person asked, on every rank
  Progress* progress = nullptr;  // moved by all that is done with a batch of images; may be null
};

class Evaluation {
 public:
  // Opens the data set of a field of the spec. What it opens may wait in Read; Cancelled of that is an evaluation's
  // too.
  using Opener =
      std::function<absl::StatusOr<std::unique_ptr<Dataset>>(const std::string& field, const std::string& path)>;
  // Says on the log what will be measured: images, labels, classes that only one set has. `open`: null is
  // Dataset::Open. InvalidArgument, naming the field (evaluation.path, evaluation.bank_path): none of its images can be
  // decoded. Others: as `open` and Read. REQUIRES: spec has evaluation.path.
  static absl::StatusOr<std::unique_ptr<Evaluation>> Open(const JobSpec& spec, at::Device device,
                                                          const EvaluationWatch& watch, const Opener& open = nullptr);

  // Every rank calls it; every rank gets the same values. `teachers` serve the held-out mimic loss, and are measured
  // themselves. Keys: knn_accuracy (= knn_accuracy_patch_mean), knn_accuracy_class (of the class token),
  // knn_raw_pixels, majority_rate, knn_teacher/<objective> (what that mimics, of all patches; not of a teacher that
  // draws masks), knn_k (neighbours that voted), bank_images (that voted), unlabelled (held-out images, in no k-NN):
  // none of these where either set has no label; held_out_loss/<objective>, images; effective_rank of the held-out mean
  // features (1: collapsed, at most D); ema_ before a key: of the average. Features that are not finite have no k-NN
  // and no effective rank, which the log says. Cancelled: a stop was wanted on any rank. All ranks return so, after the
  // same collective, and nothing was measured.
  absl::StatusOr<EvaluationResult> Run(int64_t step, const EvaluatedModel& model,
                                       const std::vector<FeatureSource*>& teachers, Gang* gang);

 private:
  struct Set {
    std::string field;
    std::unique_ptr<Dataset> dataset;
    std::vector<int64_t> samples;  // ascending, the same on every rank
  };
  struct Uses;
  struct Features;
  struct SetFeatures;
  Evaluation(const JobSpec& spec, at::Device device, const EvaluationWatch& watch)
      : spec_(spec), device_(device), watch_(watch) {}
  absl::Status OpenSet(const std::string& field, const std::string& path, const Opener& open, Set* set) const;
  absl::Status CheckDecodes(const Set& set) const;

  absl::StatusOr<EvaluationResult> Measure(int64_t step, const EvaluatedModel& model,
                                           const std::vector<FeatureSource*>& teachers, Gang* gang);
  Uses FeatureUses(const EvaluatedModel& model, const std::vector<FeatureSource*>& teachers) const;
  absl::Status PassOverShare(const Set& set, const std::vector<CropUse*>& uses, Gang* gang);
  std::vector<int64_t> Share(const Set& set, const Gang& gang) const;
  absl::Status GoOnTogether(const absl::Status& mine, Gang* gang) const;
  absl::StatusOr<SetFeatures> Gather(const Set& set, Uses* uses, Gang* gang) const;
  absl::StatusOr<std::map<std::string, double>> GatherLosses(const HeldOutLosses& losses, Gang* gang) const;

  absl::Status SetBaselines(const SetFeatures& bank, const SetFeatures& held_out);
  absl::Status AddNeighbours(const std::string& prefix, const SetFeatures& bank, const SetFeatures& held_out,
                             EvaluationResult* result) const;
  KnnOptions knn() const { return {spec_.evaluation().knn_k(), spec_.evaluation().knn_temperature()}; }

  const JobSpec spec_;
  const at::Device device_;
  const EvaluationWatch watch_;
  Set held_out_;
  Set bank_;  // those with a label
  bool labelled_ = false;
  std::map<std::string, double> baselines_;  // do not depend on the encoder: measured once
  std::set<std::string> named_;              // images that the log has named as left out
};

}  // namespace mimeo
