// Encoded images -> batches of uint8 views, in an order fixed by the key alone.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/progress.h"
#include "base/random_key.h"
#include "data/dataset.h"
#include "data/epoch_order.h"
#include "proto/checkpoint.pb.h"
#include "proto/job.pb.h"

namespace mimeo {

struct Batch {
  std::vector<int64_t> sample_ids;  // B; what was really read (a bad sample's replacement, not the bad one)
  std::vector<RandomKey> keys;  // B; key(seed).Fold("sample").Fold(epoch).Fold(sample): fold "mask", view into these
  std::vector<at::Tensor>
      views_BCHW;          // one per view; uint8, of the job's channels and the view's height and width, contiguous
  at::Tensor shared_BCHW;  // the evaluation crops, where an objective reconstructs TARGET_VIEW_SHARED; else undefined
  // Samples that could not be decoded, met on the way to this batch and not with an earlier one of this loader; in the
  // order of the rows.
  std::vector<int64_t> bad_samples;
  // False: some row has no sample (id -1, no pixels), because more than data.max_bad_samples in its order are bad, or
  // all are. It is not to be trained on, but to be counted.
  bool complete = true;
  // Of what Next gives after this batch. After the last micro-batch of a step it is the next step's: what a checkpoint
  // stores.
  LoaderPosition next;
};

// Reads this rank's contiguous slice of each global batch: micro-batch i of a step covers rows
// [i * W * B, (i + 1) * W * B), of which rank r takes [r * B, (r + 1) * B); B is MicroBatch(spec, W) of
// job/job_shape.h. Results do not depend on the number of threads. A bad sample, one that cannot be decoded, is
// replaced in its row as data/epoch_order.h says, and reported; how many are too many is for the caller to say, who
// knows those of all ranks. At most limits::kBatchesPrefetched batches are ready or in work beside the caller's. One
// thread calls Next; the rest is thread-safe.
class Loader {
 public:
  struct Options {
    int rank = 0;
    int num_ranks = 1;  // W: the gang's size, whatever the spec asks for
    // Stop after so many steps in total (TotalSteps), 0: never; it crosses epochs itself.
    int64_t last_step_batches = 0;
    LoaderPosition start;          // epoch and global batch within it
    Progress* progress = nullptr;  // counts the images read, where not null; outlives the loader
  };
  // InvalidArgument: fewer images than one global batch (says both counts), a global batch that W ranks cannot share,
  // a start beyond the epoch. `dataset` outlives the loader. `spec` is resolved.
  static absl::StatusOr<std::unique_ptr<Loader>> Open(const Dataset* dataset, const JobSpec& spec,
                                                      const Options& options);
  virtual ~Loader() = default;

  // Blocks for the next micro-batch. OutOfRange: all steps were given. Cancelled: after Close(). Other errors end the
  // loader, and come again: the data set's own (Unavailable; Cancelled of one that waits), ResourceExhausted, Internal:
  // what was thrown on a reading thread. Each bad sample is logged once, by name and reason.
  virtual absl::StatusOr<Batch> Next() = 0;
  // Does not end a data set's own waiting.
  virtual void Close() = 0;
};

}  // namespace mimeo
