// A teacher's own features of whole images, by which its students are judged. One thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "evaluation/crop_pass.h"
#include "evaluation/embedding.h"
#include "proto/job.pb.h"
#include "teacher/feature_source.h"

namespace mimeo {

// Collects what a teacher gives an objective to mimic (its layer, projected or not), for all patches of a full-size
// crop.
class TeacherEmbedder final : public CropUse {
 public:
  // Whether this teacher can be asked: it serves an objective, and draws no masks, because it would draw them here too.
  static bool CanEmbed(const FeatureSource& teacher);

  // `spec` is resolved, and `teacher` outlives it. A teacher that is away is waited for until `stop_wanted`, which is
  // polled. REQUIRES: CanEmbed(*teacher).
  TeacherEmbedder(const JobSpec& spec, FeatureSource* teacher, std::function<bool()> stop_wanted);

  std::vector<CropShape> shapes() const override { return {shape_}; }
  // Cancelled: a stop was wanted. Other errors are those of FeatureSource::Attach.
  absl::Status Use(const CropBatch& batch) override;
  // The mean over patches as patch_mean_ND, without class tokens. To be called once, after the pass. Where all images
  // are left out, there are zero rows.
  Embeddings Finish();
  // The objective that mimics these features. Others may mimic the same ones.
  const std::string& objective() const { return teacher_->request().objectives.front(); }

 private:
  absl::Status Ask(const CropBatch& crops);

  const CropShape shape_;
  const int num_patches_;
  FeatureSource* const teacher_;
  const std::function<bool()> stop_wanted_;
  Embeddings embeddings_;  // the images so far
  std::vector<at::Tensor> means_;
};

}  // namespace mimeo
