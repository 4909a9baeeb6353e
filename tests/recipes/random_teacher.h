// A frozen ViT with random weights on the student's own grid, on the CPU, asked without a network: for tests. One
// thread.
#pragma once

#include <memory>

#include "model/encoder.h"
#include "model/parameters.h"
#include "teacher/feature_source.h"

namespace mimeo {

class RandomTeacher final : public FeatureSource {
 public:
  static constexpr int kWidth = 48, kBlocks = 2;

  // REQUIRES: a resolved spec; request.wish.layer is at most kBlocks.
  RandomTeacher(const JobSpec& spec, const TeacherRequest& request);

  absl::Status Attach(const Batch& batch, absl::Time deadline, std::vector<ViewInput>* views) override;
  const TeacherRequest& request() const override { return request_; }
  int width() const override { return kWidth; }

 private:
  const JobSpec spec_;
  const TeacherRequest request_;
  Parameters parameters_;
  std::unique_ptr<Encoder> encoder_;
};

}  // namespace mimeo
