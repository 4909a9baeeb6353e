// A frozen encoder that gives its tokens, and draws masks by what its class token attends to. It sees the whole image,
// but only the tokens that are asked for leave it. One thread computes; any thread may read the contract.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/weights.h"
#include "proto/teacher.pb.h"
#include "teacher/teacher_frames.h"
#include "teacher_server/grid_encoders.h"

namespace mimeo {

class FrozenTeacher {
 public:
  // `weights` is a safetensors file, or a folder that holds model.safetensors. It is read again for grids other than
  // its own. Computes on `device`, with matrix products in `products`; features leave it as float32. The errors are
  // those of LoadEncoder.
  static absl::StatusOr<std::unique_ptr<FrozenTeacher>> Load(const std::string& name, const std::string& weights,
                                                             at::Device device = at::kCPU,
                                                             Products products = Products::kAsStored);
  // Uses the weights that `load` reads.
  static absl::StatusOr<std::unique_ptr<FrozenTeacher>> Create(const std::string& name, GridEncoders::Loader load);

  // What the teacher is, without the limits of serving.
  const TeacherContract& contract() const { return contract_; }
  // What was assumed about the file, for people.
  const std::vector<std::string>& notes() const { return encoders_.own().notes; }

  // Makes one forward pass over the images of all tasks. Their wishes are equal and fit the contract; the number and
  // size of images and the chosen patches may differ. Images of another size than the wish's grid are resized to it
  // (bicubic, antialiased), and one channel is repeated. Each answer is a whole FeatureReply's: drawn indices (int32),
  // and then features (float32). Aborted, ResourceExhausted: libtorch threw. FailedPrecondition: as in GridEncoders.
  absl::StatusOr<std::vector<std::string>> Compute(absl::Span<const FeatureTask> tasks);

 private:
  FrozenTeacher(const std::string& name, LoadedEncoder encoder, GridEncoders::Loader load);

  GridEncoders encoders_;
  TeacherContract contract_;
};

}  // namespace mimeo
