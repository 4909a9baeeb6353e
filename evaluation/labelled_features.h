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
#include "model/encoder.h"
#include "model/patches.h"
#include "proto/data.pb.h"

namespace mimeo {

// An open data set, and those of its images that are measured.
struct LabelledSet {
  std::string name;  // what messages call it: "--bank=photos"
  std::unique_ptr<Dataset> dataset;
  std::vector<int64_t> samples;  // those with a label, ascending
  int64_t unlabelled = 0;        // how many images are left out because they have no label
};
// Takes `most` images with a label, spread over the classes (data/spread_sample.h); 0 takes all.
LabelledSet TakeLabelled(const std::string& name, std::unique_ptr<Dataset> dataset, int64_t most);
// The same of a path. `members` and the errors are those of Dataset::Open.
absl::StatusOr<LabelledSet> OpenLabelledSet(const std::string& name, const std::string& path, int64_t most,
                                            const std::string& members = "");

// The features of both sets. Their labels are numbered alike, and every image has one.
struct LabelledSplit {
  Embeddings bank;
  Embeddings query;
  std::vector<std::string> bank_names;  // the names of the bank's images, one for each row
  ImageShape image;                     // of the crops that were looked at
};

// An encoder whose features are measured, on the CPU. It is observed.
struct MeasuredEncoder {
  const Encoder* encoder = nullptr;
  PixelStatistics statistics;  // REQUIRES: of the encoder's number of channels
};

// Which images of a set were measured, and which were not.
struct MeasuredImages {
  int64_t images = 0;      // that have features
  int64_t unlabelled = 0;  // left out for want of a label
  DataContents contents;   // what was passed over when the set was opened
  PassedOver undecodable;  // left out because they cannot be decoded: how many, and the names and reasons of some
};

// What is measured on the same images: encoders, and the baseline beside them.
struct LabelledFeatures {
  // All splits have rows of the same images in the same order.
  std::vector<LabelledSplit> encoders;  // in the order in which they were given
  LabelledSplit raw_pixels;             // the baseline (evaluation/raw_pixels.h)
  MeasuredImages bank;
  MeasuredImages query;
  // The names of the classes by number: the bank's, and then those that only the query has.
  std::vector<std::string> class_names;
  // What a person must know before believing an accuracy (LabelNotes of evaluation/label_census.h).
  std::vector<std::string> notes;
};
// How both passes are made.
struct LabelledOptions {
  int batch = 32;
  // They hear of the bank's images, and then of the query's. Each may be empty.
  std::function<void(int64_t done, int64_t of)> bank_progress;
  std::function<void(int64_t done, int64_t of)> query_progress;
};
// Logs what is measured and then measures it, in one pass over each set, however many encoders there are; it blocks
// until that is done. InvalidArgument, naming the set: none of its images has a label, or none can be decoded. Other
// errors are those of RunPass. REQUIRES: at least one encoder; the first one's channels are those of the raw pixels.
absl::StatusOr<LabelledFeatures> EmbedLabelled(const std::vector<MeasuredEncoder>& encoders, const LabelledSet& bank,
                                               const LabelledSet& query, const LabelledOptions& options);

}  // namespace mimeo
