// A pass over images of a data set, by their evaluation crops (data/augment.h).
//
// A pass decodes each image once, whatever is measured on it. All crops that anybody wants of an image are cut from the
// same pixels, and all who use a batch of crops take their turn before the next batch comes. So a pass needs memory for
// a few batches, and never for a data set. Threads of the pass's own read and decode images ahead; everything else
// happens on the caller's thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "data/augment.h"
#include "data/dataset.h"
#include "evaluation/left_out.h"
#include "model/shapes.h"

namespace mimeo {

// The crops of a batch of images, without those images that are left out. A value.
struct CropBatch {
  std::vector<int64_t> samples;  // numbers in the data set, in the order of the pass
  std::vector<int> labels;       // as Dataset::label gives them
  struct Crops {
    CropShape shape;
    at::Tensor images_BCHW;  // uint8, contiguous
  };
  std::vector<Crops> crops;  // one for each shape that a use of the pass wants; none where there is no sample

  // The crops of `shape`. Undefined where nobody wanted that shape, or where there is no sample.
  at::Tensor Of(const CropShape& shape) const;
};

// Somebody who measures something on every batch of a pass: an encoder's features, losses, pixels. One thread, the
// caller's.
class CropUse {
 public:
  virtual ~CropUse() = default;
  // The crops that it wants of each image. They are the same for the whole pass.
  virtual std::vector<CropShape> shapes() const = 0;
  // Takes the next batch. Batches come in order, and one may be empty, because all of its images are left out. An error
  // ends the pass.
  virtual absl::Status Use(const CropBatch& batch) = 0;
};

// How a pass is made. The callbacks run on the caller's thread.
struct PassOptions {
  // Numbers in the data set, ascending. Absent: all of them. An empty list is an empty share: no batch, and no error.
  std::optional<std::vector<int64_t>> samples;
  int batch = 32;  // how many images make a batch, those that are left out included
  int64_t max_pixels = 100000000;
  int threads = 0;                                         // that read and decode; 0: as many as libtorch computes with
  std::function<void(int64_t done, int64_t of)> progress;  // called after each use of each batch; may be empty
  // Asked before each use of each batch, and while images are waited for. May be empty.
  std::function<bool()> stop_wanted;
};

// Shows every batch to every use, in the order of `uses`, and blocks until the pass is over. Returns the images that
// are left out, ascending: broken ones, too large ones, and those for which libtorch threw. At most
// limits::kBatchesPrefetched batches of crops are ready or in work beside the caller's, and each thread holds one
// decoded image beside them.
//
// Cancelled: a stop was wanted. Aborted, ResourceExhausted: libtorch threw in a use. Other errors come from a use, or
// from Dataset::Read when the data set cannot be read; those name the image.
absl::StatusOr<std::vector<LeftOut>> RunPass(const Dataset& dataset, const PassOptions& options,
                                             const std::vector<CropUse*>& uses);

// Tries images until one of `options.samples` can be decoded: what a pass would find out only when it runs.
// options.progress is called after each image that was tried. InvalidArgument: none of them can be decoded; the message
// has the first image's reason. Cancelled: a stop was wanted. Other errors are those of Dataset::Read.
absl::Status CheckAnyDecodes(const Dataset& dataset, const PassOptions& options);

// The crop that an encoder looks at which is made for such images.
inline CropShape CropShapeOf(const ImageShape& image) { return {image.channels, image.height_px, image.width_px}; }

}  // namespace mimeo
