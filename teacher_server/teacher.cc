#include "teacher_server/teacher.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/_upsample_bicubic2d_aa.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "model/catch_torch.h"
#include "model/mask_plan.h"
#include "model/patches.h"
#include "teacher/feature_wish.h"

namespace mimeo {
namespace {

// uint8 (sum of B, C, H, W) as the encoder takes them.
at::Tensor ImagesOf(absl::Span<const FeatureTask> tasks, const ImageShape& image) {
  std::vector<at::Tensor> all;
  for (const FeatureTask& task : tasks) {
    at::Tensor images = at::from_blob(const_cast<char*>(task.images.data()),
                                      {task.num_images, task.channels, task.height_px, task.width_px}, at::kByte);
    if (task.height_px != image.height_px || task.width_px != image.width_px) {
      images = at::_upsample_bicubic2d_aa(images, {image.height_px, image.width_px}, /*align_corners=*/false);
    }
    all.push_back(images.expand({-1, image.channels, -1, -1}));
  }
  return at::cat(all).contiguous();
}

// (B, [1 +] L, T): what is wished, at all patches.
at::Tensor TokensOf(const Encoding& encoding, const FeatureWish& wish, const LoadedEncoder& loaded) {
  if (wish.layer() > 0) {
    const at::Tensor& block_BND = encoding.blocks_BND.at(wish.layer());
    return loaded.encoder->has_class_token() && !wish.class_token() ? block_BND.slice(1, 1) : block_BND;
  }
  at::Tensor tokens = encoding.visible_BKD;
  if (wish.class_token()) tokens = at::cat({encoding.class_BD.unsqueeze(1), tokens}, 1);
  return wish.projected() ? at::matmul(tokens, loaded.projection_DE.to(tokens.scalar_type())) : tokens;
}

void AppendBytes(const at::Tensor& tensor, std::string* bytes) {
  const at::Tensor dense = tensor.cpu().contiguous();
  bytes->append(static_cast<const char*>(dense.const_data_ptr()), dense.nbytes());
}

// `tokens_BNT` and `attention_BL` are the task's own rows; undefined where they are not wished.
std::string AnswerTo(const FeatureTask& task, const at::Tensor& tokens_BNT, const at::Tensor& attention_BL) {
  std::string answer;
  at::Tensor index_BN;  // undefined: all patches
  if (task.wish.has_focused()) {
    const bool most_attended = task.wish.focused().most_attended();
    index_BN = FocusedMaskPlan(task.keys, attention_BL.cpu(), task.num_chosen, most_attended).visible_BK;
    AppendBytes(index_BN.to(at::kInt), &answer);
  } else if (!task.indices.empty()) {
    index_BN = at::from_blob(const_cast<int32_t*>(task.indices.data()), {task.num_images, task.num_chosen}, at::kInt)
                   .to(at::kLong);
  }
  if (task.wish.no_features()) return answer;
  at::Tensor tokens = tokens_BNT;
  if (index_BN.defined() && task.wish.class_token()) {
    index_BN = at::cat({at::zeros({task.num_images, 1}, index_BN.options()), index_BN + 1}, 1);
  }
  if (index_BN.defined()) tokens = TakePatches(tokens, index_BN.to(tokens.device()));
  AppendBytes(tokens.to(at::kFloat), &answer);
  return answer;
}

std::vector<std::string> Answer(absl::Span<const FeatureTask> tasks, const LoadedEncoder& loaded) {
  const FeatureWish& wish = tasks.front().wish;
  const c10::InferenceMode no_gradients;
  const at::Tensor images_BCHW = NormalizePixels(ImagesOf(tasks, loaded.image).to(loaded.device()), loaded.statistics);
  EncodeOptions options;
  if (!wish.no_features() && wish.layer() > 0) options.blocks = {wish.layer()};
  options.class_attention = wish.has_focused();
  const MaskPlan all = AllVisible(images_BCHW.size(0), NumPatches(wish), images_BCHW.device());
  const Encoding encoding = loaded.encoder->Encode(images_BCHW, all, options);
  const at::Tensor tokens_BNT = wish.no_features() ? at::Tensor() : TokensOf(encoding, wish, loaded);
  std::vector<std::string> answers;
  int64_t first = 0;
  for (const FeatureTask& task : tasks) {
    const auto rows = [&](const at::Tensor& tensor) {
      return tensor.defined() ? tensor.narrow(0, first, task.num_images) : tensor;
    };
    answers.push_back(AnswerTo(task, rows(tokens_BNT), rows(encoding.class_attention_BK)));
    first += task.num_images;
  }
  return answers;
}

}  // namespace

absl::StatusOr<std::unique_ptr<FrozenTeacher>> FrozenTeacher::Load(const std::string& name, const std::string& weights,
                                                                   at::Device device, Products products) {
  return Create(name, [=](LoadOptions options) {
    options.device = device, options.products = products;
    return LoadEncoder(weights, options);
  });
}

absl::StatusOr<std::unique_ptr<FrozenTeacher>> FrozenTeacher::Create(const std::string& name,
                                                                     GridEncoders::Loader load) {
  ASSIGN_OR_RETURN(LoadedEncoder encoder, load({}));
  return std::unique_ptr<FrozenTeacher>(new FrozenTeacher(name, std::move(encoder), std::move(load)));
}

FrozenTeacher::FrozenTeacher(const std::string& name, LoadedEncoder encoder, GridEncoders::Loader load)
    : encoders_(std::move(encoder), std::move(load)) {
  const LoadedEncoder& own = encoders_.own();
  contract_.set_name(name);
  contract_.set_weights_digest(own.digest);
  contract_.set_family(own.family);
  contract_.set_feature_width(own.encoder->width());
  contract_.set_image_height_px(own.image.height_px);
  contract_.set_image_width_px(own.image.width_px);
  contract_.set_patch_px(own.encoder->grid().patch_px);
  contract_.set_channels(own.image.channels);
  for (const float mean : own.statistics.mean) contract_.add_mean(mean);
  for (const float std : own.statistics.std) contract_.add_std(std);
  if (own.projection_DE.defined()) contract_.set_projected_width(static_cast<int>(own.projection_DE.size(1)));
  contract_.set_num_blocks(own.encoder->num_blocks());
  contract_.set_block_width(own.encoder->width());
  contract_.set_has_class_token(own.encoder->has_class_token());
  contract_.set_feature_type(TENSOR_TYPE_FLOAT32);
  contract_.set_precision(own.parameters->products() == Products::kBFloat16 ? PRECISION_BF16 : PRECISION_FP32);
}

absl::StatusOr<std::vector<std::string>> FrozenTeacher::Compute(absl::Span<const FeatureTask> tasks) {
  const auto answers = CatchTorch([&]() -> absl::StatusOr<std::vector<std::string>> {
    at::init_num_threads();  // OpenMP counts threads per calling thread: give this one what main has set
    const FeatureWish& wish = tasks.front().wish;
    ASSIGN_OR_RETURN(const LoadedEncoder* const loaded, encoders_.At(wish.rows(), wish.cols()));
    return Answer(tasks, *loaded);
  });
  if (answers.ok()) return answers;
  return absl::Status(answers.status().code(),
                      absl::StrCat("teacher ", contract_.name(), ": ", answers.status().message()));
}

}  // namespace mimeo
