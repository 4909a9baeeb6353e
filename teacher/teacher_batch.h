// What one batch asks of its teacher and what comes back: it makes crops and mask plans into requests, and answers into
// the views' features and, where the teacher draws the masks, into their plans. It holds the memory that a
// TeacherStream reads and writes, so it outlives an exchange. One thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/random_key.h"
#include "data/loader.h"
#include "objective/objective.h"
#include "proto/teacher.pb.h"
#include "teacher/teacher_frames.h"
#include "teacher/teacher_request.h"
#include "teacher/teacher_stream.h"

namespace mimeo {

// The header of what is asked for one image: for all its patches, or for a mask that the teacher draws.
FeatureRequestHeader HeaderOf(const TeacherRequest& request);

class TeacherBatch {
 public:
  // Gives the key with which the mask of a view is drawn, from the key of its row.
  using MaskKey = std::function<RandomKey(const RandomKey& row, int view)>;

  // Each crop is sent once. It goes with the indices of the patches to mimic, where a single view is made of it. It
  // goes for all patches where those are to be mimicked, where several views are made of it (complementary masks), or
  // where its plan is another view's that is not drawn yet. It goes with keys where the teacher is to draw its plan.
  //
  // `request` and `mask_key` outlive the object. InvalidArgument: a crop does not have the request's shape, a view
  // belongs to no crop, or a view has no plan and the teacher is not to draw it.
  static absl::StatusOr<std::unique_ptr<TeacherBatch>> Create(const TeacherRequest& request, const MaskKey& mask_key,
                                                              const FeatureGeometry& geometry, const Batch& batch,
                                                              const std::vector<ViewInput>& views);

  // Whether these are the very tensors that it was made of.
  bool IsOf(const Batch& batch, const std::vector<ViewInput>& views) const;

  // What is not answered yet, cut into requests of nearly equal size that a teacher with this geometry takes. They
  // point into this object's memory. InvalidArgument: the teacher does not take even one image.
  absl::StatusOr<std::vector<TeacherStream::Slice>> Cut(const FeatureGeometry& geometry);
  // The first `num_images` of what was not answered have their answers now.
  void Answered(int64_t num_images) { num_answered_ += num_images; }

  // Sets the features of each objective, in float32, and the plans, on the views' device. DataLoss: drawn patches are
  // no plan; then nothing was set. REQUIRES: everything is answered, and these are the views that it was made of.
  absl::Status HandOut(std::vector<ViewInput>* views) const;

 private:
  // One crop of each image: a request, cut into slices along B.
  struct Crop {
    at::Tensor images_BCHW;  // uint8
    FeatureRequestHeader header;
    at::Tensor choice_BX;       // indices (int32, N) or keys (int64, 2 words); undefined: all patches are asked for
    at::Tensor drawn_BK;        // int32; undefined: nothing is drawn
    at::Tensor features_BNT;    // of the contract's type; undefined: none are wanted
    std::vector<size_t> views;  // that are made of it
  };

  TeacherBatch(const TeacherRequest& request, const MaskKey& mask_key) : request_(request), mask_key_(mask_key) {}
  // The inputs that are made of a crop, once it is known that all of them fit.
  absl::StatusOr<std::vector<size_t>> InputsOf(const Batch& batch, const std::vector<ViewInput>& views, int view) const;
  absl::Status AddCrop(const FeatureGeometry& geometry, const Batch& batch, const std::vector<ViewInput>& views,
                       int view);
  at::Tensor KeysOf(const Batch& batch, int view) const;
  absl::StatusOr<MaskPlan> DrawnPlan(const at::Tensor& drawn_BK) const;
  // The features of one view: (B, [1 +] N, T).
  at::Tensor FeaturesOf(const Crop& crop, const ViewInput& view) const;

  const TeacherRequest& request_;
  const MaskKey& mask_key_;
  std::vector<at::Tensor> given_;  // crops, then visible patches, as the caller has them: they tell batches apart
  std::vector<Crop> crops_;
  int64_t num_answered_ = 0;  // images, over all crops in turn
};

}  // namespace mimeo
