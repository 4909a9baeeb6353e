// Features of whole images by any encoder, unmasked: for `mimeo embed`, k-NN, the linear probe, and the evaluations of
// a job. One thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "evaluation/crop_pass.h"
#include "model/encoder.h"
#include "model/patches.h"

namespace mimeo {

// One row for each image of a pass that is not left out, in the order of the pass. A value.
struct Embeddings {
  at::Tensor class_token_ND;     // float32 on the CPU, after the final norm; undefined without class token
  at::Tensor patch_mean_ND;      // likewise: the mean over the patches' tokens
  at::Tensor patch_tokens_NLD;   // likewise, each patch's token; undefined unless it was asked for
  std::vector<int> labels;       // -1: the image has none
  std::vector<int64_t> samples;  // numbers in the data set
};

// Adds a batch's images to `embeddings`. Whoever calls it adds the rows.
void AddSamples(const CropBatch& batch, Embeddings* embeddings);

// Joins rows that follow each other. If there are none, it gives zero rows of that shape.
at::Tensor JoinRows(const std::vector<at::Tensor>& rows, const std::vector<int64_t>& shape_of_none);

// Normalises the crops of a pass and encodes them. It keeps the features of the whole pass in memory: N x D floats, and
// N x L x D with `tokens`.
class ImageEmbedder final : public CropUse {
 public:
  struct Options {
    bool tokens = false;           // whether patch_tokens_NLD is wanted too
    at::Device device = at::kCPU;  // where the encoder's parameters are
  };
  // `encoder` outlives it. REQUIRES: `statistics` has the encoder's number of channels.
  ImageEmbedder(const Encoder* encoder, PixelStatistics statistics, const Options& options);

  std::vector<CropShape> shapes() const override { return {CropShapeOf(encoder_->image())}; }
  // Encodes one batch. Aborted, ResourceExhausted: libtorch threw.
  absl::Status Use(const CropBatch& batch) override;
  // The features of all batches. To be called once, after the pass. Where all images are left out there are zero rows,
  // of the widths that they would have had.
  Embeddings Finish();

 private:
  const Encoder* const encoder_;
  const PixelStatistics statistics_;
  const Options options_;
  Embeddings embeddings_;  // the images so far
  // One tensor for each batch so far, on the CPU.
  std::vector<at::Tensor> classes_;
  std::vector<at::Tensor> means_;
  std::vector<at::Tensor> tokens_;
};

}  // namespace mimeo
