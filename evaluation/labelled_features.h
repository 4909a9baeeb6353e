// Features of labelled images that vote (the bank) and that are classified (the query): what k-NN and a linear probe of
// any encoder begin with. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "data/dataset.h"
#include "evaluation/embedding.h"
#include "model/shapes.h"
#include "model/weights.h"

namespace mimeo {

// An open data set, and those of its images that are measured.
struct LabelledSet {
  std::string name;  // as messages call it, "--bank=photos"
  std::unique_ptr<Dataset> dataset;
  std::vector<int64_t> samples;  // with a label, ascending
  int64_t unlabelled = 0;        // images that are left out for want of a label
};
// `most` images with a label, spread over the classes (data/spread_sample.h); 0: all. Errors: as Dataset::Open.
absl::StatusOr<LabelledSet> OpenLabelledSet(const std::string& name, const std::string& path, int64_t most);

// The labels of both are numbered alike, and every image has one.
struct LabelledSplit {
  Embeddings bank;
  Embeddings query;
  std::vector<std::string> bank_names;  // of the bank's images, a row each
};

struct LabelledFeatures {
  LabelledSplit encoder;
  LabelledSplit raw_pixels;  // the baseline (evaluation/raw_pixels.h)
  ImageShape image;          // of the encoder's crops
  int64_t unlabelled = 0;    // of the query set
  int64_t bank_unlabelled = 0;
};
struct LabelledOptions {
  int batch = 32;
  // Told of the bank's images, then of the query's; may be empty.
  std::function<void(int64_t done, int64_t of)> bank_progress;
  std::function<void(int64_t done, int64_t of)> query_progress;
};
// Says on the log what is measured, then measures it, in one pass over each set. InvalidArgument, naming the set: none
// of its images has a label, or none can be decoded. Others: as RunPass.
absl::StatusOr<LabelledFeatures> EmbedLabelled(const LoadedEncoder& loaded, const LabelledSet& bank,
                                               const LabelledSet& query, const LabelledOptions& options);

}  // namespace mimeo
