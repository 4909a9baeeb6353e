// What a job measures on the way, on images that it does not train on: k-NN of the encoder's features, held-out losses,
// and what to judge them by (the majority class, k-NN on raw pixels). The ranks share the work. One thread.
//
// The measurements themselves are in evaluation/. Here is what belongs to the gang: which images a rank looks at, how
// the ranks' rows and sums come together, and that all of them stop together. A rank decodes each image of its share
// once for all that is measured.
//
// k-NN has one definition everywhere, which was chosen before any result was seen: it uses the mean patch token,
// evaluation.knn_k neighbours (all of a bank that has fewer), and evaluation.knn_temperature. Where a set has more
// images than evaluation.max_images, every rank takes the same ones, spread over the classes (data/spread_sample.h).
// Images without a label take part in the held-out losses only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/progress.h"
#include "data/dataset.h"
#include "evaluation/crop_pass.h"
#include "evaluation/held_out_losses.h"
#include "evaluation/knn.h"
#include "proto/data.pb.h"
#include "proto/job.pb.h"
#include "proto/metrics.pb.h"
#include "teacher/feature_source.h"
#include "worker/training/bad_samples.h"
#include "worker/training/gang.h"

namespace mimeo {

// Who looks on. It is observed and not owned.
struct EvaluationWatch {
  std::function<bool()> stop_wanted = [] { return false; };  // polled on every rank: true once a person asks for a stop
  Progress* progress = nullptr;  // moved by all that is done with a batch of images; may be null
};

class Evaluation {
 public:
  // Opens the data set of a field of the spec. What it opens may wait in Read; if that ends in Cancelled, so does the
  // evaluation.
  using Opener =
      std::function<absl::StatusOr<std::unique_ptr<Dataset>>(const std::string& field, const std::string& path)>;
  // Opens both sets and decodes images until one of each set that is measured succeeds, so a mistake is found before
  // the training and not after it. It logs what will be measured: images, labels, and classes that only one set has. A
  // null `open` means Dataset::Open. InvalidArgument, naming the field (evaluation.path, evaluation.bank_path): none of
  // its images can be decoded, or the two sets have labels and no class in common. Other errors are those of `open` and
  // Read. REQUIRES: spec has evaluation.path.
  static absl::StatusOr<std::unique_ptr<Evaluation>> Open(const JobSpec& spec, at::Device device,
                                                          const EvaluationWatch& watch, const Opener& open = nullptr);
  // The same where both sets are parts of data.path (data/divided_dataset.h): what is held out, which messages name by
  // evaluation.hold_out, and what is trained on.
  static absl::StatusOr<std::unique_ptr<Evaluation>> OpenHeldOut(const JobSpec& spec, at::Device device,
                                                                 const EvaluationWatch& watch,
                                                                 std::unique_ptr<Dataset> held_out,
                                                                 std::unique_ptr<Dataset> bank);

  // What the sets leave out and what is to be known before their numbers are believed, one for each field. Of a bank
  // that is the job's training data only the latter.
  std::vector<DataContents> Contents() const;
  // How many images of each set cannot be decoded, of those that the evaluations so far have met on any rank. By field;
  // a set without any is not in it.
  std::map<std::string, PassedOver> Undecodable();

  // A collective: every rank calls it, and every rank gets the same values. `teachers` serve the held-out mimic loss
  // and are measured themselves. These are the keys of the values:
  //
  //   knn_accuracy, which is knn_accuracy_patch_mean; knn_accuracy_class (of the class token); knn_raw_pixels;
  //   majority_rate; knn_teacher/<objective> (of what that objective mimics, of all patches; not of a teacher that
  //   draws masks); knn_k (neighbours that voted); bank_images (images that voted); unlabelled (held-out images that
  //   are in no k-NN): none of these where either set has no label;
  //   held_out_loss/<objective>; images;
  //   effective_rank of the held-out mean features (1: collapsed; at most D), where there are labels;
  //   ema_ before a key: of the averaged encoder.
  //
  // Features that are not finite have no k-NN and no effective rank, which the log says. Cancelled: a stop was wanted
  // on any rank. Then all ranks return it after the same collective, and nothing was measured. Aborted: a member of the
  // gang is gone, or libtorch threw.
  absl::StatusOr<EvaluationResult> Run(int64_t step, const EvaluatedModel& model,
                                       const std::vector<FeatureSource*>& teachers, Gang* gang);

 private:
  struct Set {
    std::string field;
    std::unique_ptr<Dataset> dataset;
    std::vector<int64_t> samples;     // ascending, the same on every rank
    std::unique_ptr<BadSamples> bad;  // that the evaluations have met
  };
  struct Uses;
  struct Features;
  struct SetFeatures;
  Evaluation(const JobSpec& spec, at::Device device, const EvaluationWatch& watch)
      : spec_(spec), device_(device), watch_(watch) {}
  absl::StatusOr<std::unique_ptr<Dataset>> OpenDataset(const std::string& field, const std::string& path,
                                                       const Opener& open) const;
  absl::Status TakeSets(const std::string& field, std::unique_ptr<Dataset> held_out, std::unique_ptr<Dataset> bank);
  Set SetOf(const std::string& field, std::unique_ptr<Dataset> dataset) const;
  absl::Status CheckDecodes(const Set& set) const;

  absl::StatusOr<EvaluationResult> Measure(int64_t step, const EvaluatedModel& model,
                                           const std::vector<FeatureSource*>& teachers, Gang* gang);
  Uses FeatureUses(const EvaluatedModel& model, const std::vector<FeatureSource*>& teachers) const;
  absl::Status PassOverShare(Set* set, const std::vector<CropUse*>& uses, Gang* gang);
  std::vector<int64_t> Share(const Set& set, const Gang& gang) const;
  absl::Status GoOnTogether(const absl::Status& mine, const std::vector<int64_t>& bad, Set* set, Gang* gang) const;
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
  Set bank_;  // of those images that have a label
  bool labelled_ = false;
  std::vector<std::string> notes_;
  std::map<std::string, double> baselines_;  // they do not depend on the encoder, so they are measured once
};

}  // namespace mimeo
