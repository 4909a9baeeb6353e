// Makes the training views of one sample in one epoch. What comes out depends on the job's spec, the epoch and the
// sample alone, and not on the thread, the rank or what was read before. Thread-safe: many threads read at the same
// time.
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

// Whether an objective of the job reconstructs TARGET_VIEW_SHARED, the evaluation crop, so that it must be made too.
bool WantsSharedTarget(const JobSpec& spec);

class SampleReader {
 public:
  // `spec` is resolved. `dataset` must outlive the reader.
  SampleReader(const Dataset* dataset, const JobSpec& spec) : dataset_(dataset), spec_(spec), views_(EachView(spec)) {}

  // The key of all that is random about a sample in an epoch: RandomKey(seed).Fold("sample").Fold(epoch).Fold(sample).
  RandomKey KeyOf(int64_t epoch, int64_t sample) const;

  // Decodes `sample` once and writes view v to views_CHW[v], which has room for it: as many bytes as CropShapeOf the
  // view says, in planes. Where `shared_CHW` is not null, the evaluation crop is written there. It needs the whole
  // image, while for the views alone only the part that they need is decoded.
  //
  // DataLoss and InvalidArgument say that the sample is bad, and always will be. Any other error is the data set's own
  // and says nothing about the sample.
  absl::Status Read(int64_t epoch, int64_t sample, const std::vector<uint8_t*>& views_CHW, uint8_t* shared_CHW) const;

 private:
  // `pixels` are those of the part `around` of the image.
  void MakeView(size_t view, const Pixels& pixels, const Rect& around, const CropPlan& plan, const RandomKey& key,
                uint8_t* out_CHW) const;

  const Dataset* const dataset_;
  const JobSpec spec_;
  const std::vector<ViewSpec> views_;  // by number
};

}  // namespace mimeo
