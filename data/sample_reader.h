// One sample of an epoch as training views. Thread-safe; pure but for reading the data set.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "base/random_key.h"
#include "data/augment.h"
#include "data/dataset.h"
#include "data/decode.h"
#include "job/job_shape.h"
#include "proto/job.pb.h"

namespace mimeo {

// Whether an objective reconstructs TARGET_VIEW_SHARED, the evaluation crop.
bool WantsSharedTarget(const JobSpec& spec);

class SampleReader {
 public:
  // `dataset` outlives the reader.
  SampleReader(const Dataset* dataset, const JobSpec& spec) : dataset_(dataset), spec_(spec), views_(EachView(spec)) {}

  // key(seed).Fold("sample").Fold(epoch).Fold(sample): of all that is random about a sample in an epoch.
  RandomKey KeyOf(int64_t epoch, int64_t sample) const;

  // Decodes `sample` once and writes view v, of the size and colours that EachView(spec) says, to views[v]; and to
  // `shared`, unless it is null, the evaluation crop, for which the whole image is decoded and not only what the views
  // need. DataLoss, InvalidArgument: a bad sample. Other errors say nothing of it: the data set's own.
  absl::Status Read(int64_t epoch, int64_t sample, const std::vector<uint8_t*>& views_CHW, uint8_t* shared_CHW) const;

 private:
  // `pixels`: of the image's part `around`.
  void MakeView(size_t view, const Pixels& pixels, const Rect& around, const CropPlan& plan, const RandomKey& key,
                uint8_t* out_CHW) const;

  const Dataset* const dataset_;
  const JobSpec spec_;
  const std::vector<ViewSpec> views_;  // by number
};

}  // namespace mimeo
