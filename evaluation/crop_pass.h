// A pass over the evaluation crops (data/augment.h) of images of a data set.
//
// A pass decodes each image once, whatever is measured on it: all crops that anybody wants of an image are cut from the
// same pixels, and all who use a batch of crops take their turn before the next batch comes. So a pass needs memory for
// a few batches, and never for a data set. Images are read and decoded ahead by threads of the pass's own; everything
// else happens on the caller's thread.
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

// The crops of a batch of images, without those images that are left out. Value.
struct CropBatch {
  std::vector<int64_t> samples;  // of the data set, in the order of the pass
  std::vector<int> labels;       // as Dataset::label
  struct Crops {
    CropShape shape;
    at::Tensor images_BCHW;  // uint8, contiguous
  };
  std::vector<Crops> crops;  // one for each shape that a use of the pass wants; none where there is no sample

  // The crops of `shape`; undefined where nobody wanted that shape, or where there is no sample.
  at::Tensor Of(const CropShape& shape) const;
};

// Somebody who measures something on every batch of a pass: an encoder's features, losses, pixels. One thread.
class CropUse {
 public:
  virtual ~CropUse() = default;
  // The crops that it wants of each image. The same for the whole pass.
  virtual std::vector<CropShape> shapes() const = 0;
  // Batches come in order; one may be empty, because all of its images are left out. An error ends the pass.
  virtual absl::Status Use(const CropBatch& batch) = 0;
};

struct PassOptions {
  // Of the data set, ascending; absent: all of them. An empty list is an empty share: no batch, and no error.
  std::optional<std::vector<int64_t>> samples;
  int batch = 32;  // images that a batch is made of, with those that are left out
  int64_t max_pixels = 100000000;
  int threads = 0;                                         // that read and decode; 0: as many as libtorch computes with
  std::function<void(int64_t done, int64_t of)> progress;  // after each use of each batch; may be empty
  // Asked on the caller's thread before each use of each batch, and while images are waited for; may be empty.
  std::function<bool()> stop_wanted;
};

// Shows every batch to every use, in their order. Gives the images that are left out, ascending: broken ones, too large
// ones, and those that libtorch would not have. At most limits::kBatchesPrefetched batches of crops are ready or in
// work beside the caller's; each thread holds one decoded image beside them. Cancelled: a stop was wanted. Aborted,
// ResourceExhausted: libtorch threw in a use. Others: of a use; of Dataset::Read, naming the image, where the data set
// cannot be read.
absl::StatusOr<std::vector<LeftOut>> RunPass(const Dataset& dataset, const PassOptions& options,
                                             const std::vector<CropUse*>& uses);

// Whether one of `options.samples` can be decoded, which is tried until one is: what a pass would find out only when it
// runs. InvalidArgument: not one of them, with the first image's reason. Cancelled: a stop was wanted. Others: as
// Dataset::Read. options.progress is called after each image that was tried.
absl::Status CheckAnyDecodes(const Dataset& dataset, const PassOptions& options);

// The crop that an encoder of such images looks at.
inline CropShape CropShapeOf(const ImageShape& image) { return {image.channels, image.height_px, image.width_px}; }

}  // namespace mimeo
