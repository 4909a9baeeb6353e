#include "teacher_server/teacher.h"

#include <ATen/Parallel.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/InferenceMode.h>

#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "model/mask_plan.h"
#include "model/patches.h"

namespace mimeo {
namespace {

// uint8 (sum of B, 3, H, W)
at::Tensor ImagesOf(absl::Span<const FeatureTask> tasks, int64_t image_px) {
  std::vector<at::Tensor> images;
  for (const FeatureTask& task : tasks) {
    images.push_back(
        at::from_blob(const_cast<char*>(task.images.data()), {task.num_images, 3, image_px, image_px}, at::kByte));
  }
  return at::cat(images);
}

// The bytes of (B, K, T) out of the task's (B, L, T).
std::string VisibleTokens(const at::Tensor& tokens_BLT, const FeatureTask& task) {
  at::Tensor visible_BKT = tokens_BLT;
  if (!task.indices.empty()) {
    const at::Tensor index_BK =
        at::from_blob(const_cast<int32_t*>(task.indices.data()), {task.num_images, task.num_visible}, at::kInt);
    visible_BKT = TakePatches(tokens_BLT, index_BK.to(at::kLong));
  }
  visible_BKT = visible_BKT.to(at::kFloat).contiguous();
  return std::string(static_cast<const char*>(visible_BKT.const_data_ptr()), visible_BKT.nbytes());
}

}  // namespace

absl::StatusOr<std::unique_ptr<FrozenTeacher>> FrozenTeacher::Load(const std::string& name,
                                                                   const std::string& weights) {
  ASSIGN_OR_RETURN(LoadedEncoder encoder, LoadEncoder(weights));
  return std::unique_ptr<FrozenTeacher>(new FrozenTeacher(name, std::move(encoder)));
}

FrozenTeacher::FrozenTeacher(const std::string& name, LoadedEncoder encoder) : encoder_(std::move(encoder)) {
  contract_.set_name(name);
  contract_.set_weights_digest(encoder_.digest);
  contract_.set_family(encoder_.family);
  contract_.set_feature_width(encoder_.encoder->width());
  contract_.set_image_px(encoder_.image_px);
  contract_.set_patch_px(encoder_.encoder->grid().patch_px);
  for (const float mean : encoder_.statistics.mean) contract_.add_mean(mean);
  for (const float std : encoder_.statistics.std) contract_.add_std(std);
  contract_.set_feature_type(TENSOR_TYPE_FLOAT32);
}

absl::StatusOr<std::vector<std::string>> FrozenTeacher::Compute(absl::Span<const FeatureTask> tasks) const {
  try {
    const c10::InferenceMode no_gradients;
    at::init_num_threads();  // OpenMP counts threads per calling thread: give this one what main has set
    const at::Tensor images_BCHW = NormalizePixels(ImagesOf(tasks, encoder_.image_px), encoder_.statistics);
    const int num_patches = encoder_.encoder->grid().num_patches();
    const at::Tensor tokens_BLT =
        encoder_.encoder->Encode(images_BCHW, AllVisible(images_BCHW.size(0), num_patches, images_BCHW.device()))
            .visible_BKD;
    std::vector<std::string> features;
    int64_t first = 0;
    for (const FeatureTask& task : tasks) {
      features.push_back(VisibleTokens(tokens_BLT.narrow(0, first, task.num_images), task));
      first += task.num_images;
    }
    return features;
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("teacher ", contract_.name(), ": ", error.what()));
  }
}

}  // namespace mimeo
