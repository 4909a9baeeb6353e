// Reads encoded images and gives batches of uint8 views, in an order that the job's seed alone decides.
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

// The images of one micro-batch, B rows. All tensors are on the CPU and belong to the batch alone.
struct Batch {
  // B; what was really read: where a sample is bad, this is its replacement.
  std::vector<int64_t> sample_ids;
  // B; the class of that sample, as Dataset::label says: -1 where it has none.
  std::vector<int> labels;
  // B; key(seed).Fold("sample").Fold(epoch).Fold(sample). Masks and dropped branches are drawn from keys below these.
  std::vector<RandomKey> keys;
  // One tensor per view: contiguous uint8, with the job's channels and the view's own height and width.
  std::vector<at::Tensor> views_BCHW;
  // The evaluation crops, where an objective reconstructs TARGET_VIEW_SHARED; otherwise undefined.
  at::Tensor shared_BCHW;
  // Samples that could not be decoded, and that this loader has not reported with an earlier batch. They are in the
  // order of the rows, whichever thread met them.
  std::vector<int64_t> bad_samples;
  // False: some row has no sample (its id is -1, and its pixels are not set), because all that may take its place are
  // bad, or more than data.max_bad_samples of them. Such a batch is to be counted and not to be trained on.
  bool complete = true;
  // The position of what Next gives after this batch. After the last micro-batch of a step it is the next step's
  // position, which is what a checkpoint stores.
  LoaderPosition next;
};

// Reads this rank's part of each global batch. Micro-batch i of a step covers the rows [i * W * B, (i + 1) * W * B), of
// which rank r takes [r * B, (r + 1) * B); B is MicroBatch(spec, W) of job/job_shape.h. What a batch holds does not
// depend on the number of threads.
//
// A bad sample is one that cannot be decoded. Another takes its row, as data/epoch_order.h says, and it is reported.
// How many bad samples are too many is for the caller to say, because only the gang knows those of all its ranks.
//
// data.loader_threads threads read ahead: at most limits::kBatchesPrefetched batches are ready or in work beside the
// one that the caller holds. One thread calls Next; any thread may call Close. The destructor closes and joins the
// threads, so a thread that waits inside the data set must be told to stop first (data/patience.h).
class Loader {
 public:
  struct Options {
    int rank = 0;
    int num_ranks = 1;  // W: the gang's size, whatever the spec asks for
    // The loader ends after so many steps of the whole training (TotalSteps of job/job_shape.h); 0 means never. It goes
    // on from one epoch to the next by itself.
    int64_t last_step_batches = 0;
    LoaderPosition start;  // an epoch, and a global batch in it
    // Counts the images that are read, where it is not null; it outlives the loader.
    Progress* progress = nullptr;
  };
  // InvalidArgument: there are fewer images than one global batch (the message has both numbers), W ranks cannot share
  // a global batch, the rank is none of the W, or the start lies beyond the epoch. `dataset` outlives the loader.
  // `spec` is resolved.
  static absl::StatusOr<std::unique_ptr<Loader>> Open(const Dataset* dataset, const JobSpec& spec,
                                                      const Options& options);
  virtual ~Loader() = default;

  // Blocks until the next micro-batch is complete. OutOfRange: all steps were given. Cancelled: Close was called.
  //
  // Any other error ends the loader, and each later call returns it again: an error of the data set (Unavailable, or
  // the Cancelled of one that waits), ResourceExhausted when memory ran out, or Internal with what else was thrown on a
  // reading thread. Each bad sample is logged once, with its name and the reason.
  virtual absl::StatusOr<Batch> Next() = 0;
  // Wakes whoever waits in Next. It does not end a data set's own waiting.
  virtual void Close() = 0;
};

}  // namespace mimeo
