// Features of labelled images: of those that vote (the bank), and of those that are classified (the query). k-NN and a
// linear probe of any encoder begin with them. One thread.
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
  std::string name;  // what messages call it: "--bank=photos"
  std::unique_ptr<Dataset> dataset;
  std::vector<int64_t> samples;  // those with a label, ascending
  int64_t unlabelled = 0;        // how many images are left out because they have no label
};
// Takes `most` images with a label, spread over the classes (data/spread_sample.h); 0 takes all. The errors are those
// of Dataset::Open.
absl::StatusOr<LabelledSet> OpenLabelledSet(const std::string& name, const std::string& path, int64_t most);

// The features of both sets. Their labels are numbered alike, and every image has one.
struct LabelledSplit {
  Embeddings bank;
  Embeddings query;
  std::vector<std::string> bank_names;  // the names of the bank's images, one for each row
};

// What is measured on the same images: the encoder, and the baseline beside it.
struct LabelledFeatures {
  // Both splits have rows of the same images in the same order.
  LabelledSplit encoder;
  LabelledSplit raw_pixels;  // the baseline (evaluation/raw_pixels.h)
  ImageShape image;          // the shape of the encoder's crops
  int64_t unlabelled = 0;    // images of the query set without a label
  int64_t bank_unlabelled = 0;
};
// How both passes are made.
struct LabelledOptions {
  int batch = 32;
  // They hear of the bank's images, and then of the query's. Each may be empty.
  std::function<void(int64_t done, int64_t of)> bank_progress;
  std::function<void(int64_t done, int64_t of)> query_progress;
};
// Logs what is measured and then measures it, in one pass over each set; it blocks until that is done. InvalidArgument,
// naming the set: none of its images has a label, or none can be decoded. Other errors are those of RunPass.
absl::StatusOr<LabelledFeatures> EmbedLabelled(const LoadedEncoder& loaded, const LabelledSet& bank,
                                               const LabelledSet& query, const LabelledOptions& options);

}  // namespace mimeo
