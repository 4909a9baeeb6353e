// Features of whole images by any encoder, unmasked: `mimeo embed`, k-NN, and the evaluations of a job. One thread calls;
// images are decoded by libtorch's own threads.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "data/dataset.h"
#include "model/encoder.h"
#include "model/patches.h"
#include "model/shapes.h"

namespace mimeo {

struct Embeddings {
  at::Tensor class_token_ND;     // float32 on the CPU, after the final norm; undefined without class token
  at::Tensor patch_mean_ND;
  at::Tensor patch_tokens_NLD;   // only when asked for
  std::vector<int> labels;       // -1: none
  std::vector<int64_t> samples;  // of the dataset; bad ones are left out
};

struct EmbedOptions {
  int64_t begin = 0;             // samples [begin, end)
  int64_t end = 0;               // 0: to the last
  int batch = 32;
  bool tokens = false;
  ImageShape image{3, 224, 224};
  int64_t max_pixels = 100000000;
  at::Device device = at::kCPU;  // where the encoder's parameters are
  std::function<void(int64_t done, int64_t of)> progress;  // after each batch; may be empty
};

// Evaluation crop (data/augment.h), normalise, encode. A bad image is skipped and logged.
// InvalidArgument: no image can be decoded, an image shape that is not the encoder's. REQUIRES: statistics of its channels.
absl::StatusOr<Embeddings> EmbedImages(const Dataset& dataset, const Encoder& encoder, const PixelStatistics& statistics,
                                       const EmbedOptions& options);

// Pixels of the evaluation crop at `px` x `px` (default protocol: 32), of options.image's channels and normalised by ImageNet's
// statistics (grey: their means), flattened, as patch_mean_ND: the k-NN baseline.
absl::StatusOr<Embeddings> RawPixelFeatures(const Dataset& dataset, int px, const EmbedOptions& options);

struct KnnOptions {
  int k = 20;
  double temperature = 0.07;
};
// DINO eval_knn.py: rows L2-normalised, the k most similar bank rows vote exp(similarity / temperature). In [0, 1].
// InvalidArgument: no rows, rows without a label, other widths.
absl::StatusOr<double> KnnAccuracy(const at::Tensor& bank_ND, const std::vector<int>& bank_labels,
                                   const at::Tensor& query_MD, const std::vector<int>& query_labels, const KnnOptions& options);

// How often the most frequent label occurs, in [0, 1]; 0 of none.
double MajorityRate(const std::vector<int>& labels);

// `labels` into `names` as indices into `reference`: two splits number their classes alike only where both have all of them.
// A class that `reference` lacks gets an index past its end, so it is never predicted; -1 stays.
std::vector<int> LabelsAmong(const std::vector<int>& labels, const std::vector<std::string>& names,
                             const std::vector<std::string>& reference);

}  // namespace mimeo
