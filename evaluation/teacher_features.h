// A teacher's own features of whole images, to judge its students by. One thread.
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

// What a teacher gives an objective to mimic (its layer, projected or not), of all patches of a full-size crop.
class TeacherEmbedder final : public CropUse {
 public:
  // Whether it can be asked: it serves an objective, and draws no masks, because it would draw here too.
  static bool CanEmbed(const FeatureSource& teacher);

  // `spec` is resolved; `teacher` outlives it. A teacher that is away is waited for until `stop_wanted`, which is
  // polled. REQUIRES: CanEmbed(*teacher).
  TeacherEmbedder(const JobSpec& spec, FeatureSource* teacher, std::function<bool()> stop_wanted);

  std::vector<CropShape> shapes() const override { return {shape_}; }
  // Cancelled: a stop was wanted. Others: as FeatureSource::Attach.
  absl::Status Use(const CropBatch& batch) override;
  // The mean over patches as patch_mean_ND, and no tokens. Where all images are left out, zero rows.
  Embeddings Finish();
  // The objective that mimics these features; others may mimic the same ones.
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
