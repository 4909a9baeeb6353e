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
#include "model/encoder.h"
#include "model/patches.h"
#include "model/shapes.h"

namespace mimeo {

// An image without features, and why: broken, too large, gone, or libtorch would not have it.
struct LeftOut {
  int64_t sample = 0;
  std::string reason;
};

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

// Whether a status is about one image, which is left out, and not about the data set or the machine.
bool IsBadImage(const absl::Status& status);

// Says on the log which images were left out, a line each: the first twenty, then how many more.
void LogLeftOut(const Dataset& dataset, const std::vector<LeftOut>& left_out);

// InvalidArgument, naming `what` it is of: not one image has features.
absl::Status CheckAnyRow(const std::string& what, const Embeddings& embeddings);

struct KnnOptions {
  int k = 20;
  double temperature = 0.07;
};
// DINO eval_knn.py: rows L2-normalised, the k most similar bank rows vote exp(similarity / temperature), all of them in
// a bank of fewer (VotersOf). In [0, 1]. InvalidArgument: no rows, rows without a label, other widths, values that are
// not finite (NaN has no neighbours).
absl::StatusOr<double> KnnAccuracy(const at::Tensor& bank_ND, const std::vector<int>& bank_labels,
                                   const at::Tensor& query_MD, const std::vector<int>& query_labels,
                                   const KnnOptions& options);

// How many rows of a bank vote: options.k, or as many as there are.
int64_t VotersOf(const KnnOptions& options, int64_t bank_rows);

// How often the most frequent label occurs, in [0, 1]; 0 of none.
double MajorityRate(const std::vector<int>& labels);

// `labels` into `names` as indices into `reference`: two splits number their classes alike only where both have all of
// them. A class that `reference` lacks gets an index past its end, so it is never predicted; -1 stays.
std::vector<int> LabelsAmong(const std::vector<int>& labels, const std::vector<std::string>& names,
                             const std::vector<std::string>& reference);

}  // namespace mimeo
