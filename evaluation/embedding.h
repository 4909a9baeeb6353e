// Features of whole images by any encoder, unmasked: `mimeo embed`, k-NN, and the evaluations of a job. One thread
// calls; images are decoded by libtorch's own threads.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "data/dataset.h"
#include "evaluation/left_out.h"
#include "model/encoder.h"
#include "model/patches.h"
#include "model/shapes.h"

namespace mimeo {

struct Embeddings {
  at::Tensor class_token_ND;  // float32 on the CPU, after the final norm; undefined without class token
  at::Tensor patch_mean_ND;
  at::Tensor patch_tokens_NLD;   // only when asked for
  std::vector<int> labels;       // -1: none
  std::vector<int64_t> samples;  // of the dataset; bad ones are left out
  std::vector<LeftOut> left_out;
};

struct EmbedOptions {
  // Of the dataset, ascending; absent: all of them. An empty list is an empty share: no rows, and no error.
  std::optional<std::vector<int64_t>> samples;
  int batch = 32;
  bool tokens = false;
  ImageShape image{3, 224, 224};
  int64_t max_pixels = 100000000;
  at::Device device = at::kCPU;                            // where the encoder's parameters are
  std::function<void(int64_t done, int64_t of)> progress;  // after each batch; may be empty
  std::function<bool()> stop_wanted;  // asked before each batch, ends it with Cancelled; may be empty
};

// Evaluation crop (data/augment.h), normalise, encode. A bad image has no row and is in left_out; where all are bad
// there are zero rows, of the widths that they would have had. InvalidArgument: an image shape that is not the
// encoder's. Cancelled: a stop was wanted. Aborted, ResourceExhausted: libtorch threw. Others: as Dataset::Read where
// the data set cannot be read. REQUIRES: statistics of its channels.
absl::StatusOr<Embeddings> EmbedImages(const Dataset& dataset, const Encoder& encoder,
                                       const PixelStatistics& statistics, const EmbedOptions& options);

// Pixels of the evaluation crop at `px` x `px` (default protocol: 32), of options.image's channels and normalised by
// ImageNet's statistics (grey: their means), flattened, as patch_mean_ND: the k-NN baseline.
absl::StatusOr<Embeddings> RawPixelFeatures(const Dataset& dataset, int px, const EmbedOptions& options);

// InvalidArgument, naming `what` it is of: not one image has features.
absl::Status CheckAnyRow(const std::string& what, const Embeddings& embeddings);

}  // namespace mimeo
