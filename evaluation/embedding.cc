#include "evaluation/embedding.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include <utility>

#include "model/catch_torch.h"
#include "model/mask_plan.h"

namespace mimeo {
namespace {

at::Tensor OnCpu(const at::Tensor& tensor) { return tensor.to(at::kCPU, at::kFloat).contiguous(); }

}  // namespace

void AddSamples(const CropBatch& batch, Embeddings* embeddings) {
  embeddings->samples.insert(embeddings->samples.end(), batch.samples.begin(), batch.samples.end());
  embeddings->labels.insert(embeddings->labels.end(), batch.labels.begin(), batch.labels.end());
}

at::Tensor JoinRows(const std::vector<at::Tensor>& rows, const std::vector<int64_t>& shape_of_none) {
  return rows.empty() ? at::empty(shape_of_none, at::kFloat) : at::cat(rows);
}

ImageEmbedder::ImageEmbedder(const Encoder* encoder, PixelStatistics statistics, const Options& options)
    : encoder_(encoder), statistics_(std::move(statistics)), options_(options) {}

absl::Status ImageEmbedder::Use(const CropBatch& batch) {
  return CatchTorch([&] {
    if (batch.samples.empty()) return;
    const at::NoGradGuard no_grad;
    const at::Tensor bytes_BCHW = batch.Of(CropShapeOf(encoder_->image()));
    const at::Tensor images_BCHW = NormalizePixels(bytes_BCHW.to(options_.device), statistics_);
    const MaskPlan plan = AllVisible(images_BCHW.size(0), encoder_->grid().num_patches(), images_BCHW.device());
    const Encoding encoding = encoder_->Encode(images_BCHW, plan);
    if (encoding.class_BD.defined()) classes_.push_back(OnCpu(encoding.class_BD));
    means_.push_back(OnCpu(encoding.visible_BKD.mean(1)));
    if (options_.tokens) tokens_.push_back(OnCpu(encoding.visible_BKD));
    AddSamples(batch, &embeddings_);
  });
}

Embeddings ImageEmbedder::Finish() {
  const int64_t width = encoder_->width();
  if (encoder_->has_class_token()) embeddings_.class_token_ND = JoinRows(classes_, {0, width});
  embeddings_.patch_mean_ND = JoinRows(means_, {0, width});
  if (options_.tokens) embeddings_.patch_tokens_NLD = JoinRows(tokens_, {0, encoder_->grid().num_patches(), width});
  return std::move(embeddings_);
}

}  // namespace mimeo
