#include "evaluation/raw_pixels.h"

#include <utility>

#include "model/catch_torch.h"
#include "model/patches.h"

namespace mimeo {
namespace {

PixelStatistics StatisticsOf(int channels) {
  return channels == 1 ? PixelStatistics{{0.449f}, {0.226f}} : ImageNetStatistics();
}

}  // namespace

absl::Status RawPixels::Use(const CropBatch& batch) {
  return CatchTorch([&] {
    if (batch.samples.empty()) return;
    rows_.push_back(NormalizePixels(batch.Of(shape_), StatisticsOf(shape_.channels)).flatten(1));
    AddSamples(batch, &embeddings_);
  });
}

Embeddings RawPixels::Finish() {
  embeddings_.patch_mean_ND = JoinRows(rows_, {0, shape_.bytes()});
  return std::move(embeddings_);
}

}  // namespace mimeo
