// A frozen encoder that gives its patch tokens. It sees the whole image; only the tokens that are asked for leave it.
// One thread computes; the contract may be read by all.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/teacher_frames.h"
#include "model/weights.h"
#include "proto/teacher.pb.h"

namespace mimeo {

class FrozenTeacher {
 public:
  // `weights`: a safetensors file, or a folder that holds model.safetensors. Errors as LoadEncoder.
  static absl::StatusOr<std::unique_ptr<FrozenTeacher>> Load(const std::string& name, const std::string& weights);

  // Without the limits of serving.
  const TeacherContract& contract() const { return contract_; }

  // One forward pass over the images of all tasks, which may differ in number of images and of visible patches. Each
  // answer: float32 (B, K, T), the tokens after the final norm. Internal: what the tensor library reports.
  absl::StatusOr<std::vector<std::string>> Compute(absl::Span<const FeatureTask> tasks) const;

 private:
  FrozenTeacher(const std::string& name, LoadedEncoder encoder);

  const LoadedEncoder encoder_;
  TeacherContract contract_;
};

}  // namespace mimeo
