// Reads one sample of an epoch and makes its training views. It keeps no state between calls, so several threads may
// share one reader; each call reads the data set and blocks while that does.
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

// Everything about the result follows from the seed, the epoch and the sample: not from the rank, the thread, or what
// was read before.
class SampleReader {
 public:
  // `dataset` outlives the reader.
  SampleReader(const Dataset* dataset, const JobSpec& spec) : dataset_(dataset), spec_(spec), views_(EachView(spec)) {}

  // key(seed).Fold("sample").Fold(epoch).Fold(sample): everything random about a sample in an epoch comes from it.
  RandomKey KeyOf(int64_t epoch, int64_t sample) const;

  // Decodes `sample` once and writes view v, with the size and colours that EachView(spec) states, to views_CHW[v].
  // Where `shared_CHW` is not null, the evaluation crop is written there. It needs the whole image, which is then
  // decoded in place of the smallest part that holds all views.
  //
  // DataLoss, InvalidArgument: a bad sample, and what was written means nothing. Any other error comes from the data
  // set and says nothing about the sample.
  absl::Status Read(int64_t epoch, int64_t sample, const std::vector<uint8_t*>& views_CHW, uint8_t* shared_CHW) const;

 private:
  // `pixels` are those of the image's part `around`.
  void MakeView(size_t view, const Pixels& pixels, const Rect& around, const CropPlan& plan, const RandomKey& key,
                uint8_t* out_CHW) const;

  const Dataset* const dataset_;
  const JobSpec spec_;
  const std::vector<ViewSpec> views_;  // by number
};

}  // namespace mimeo
