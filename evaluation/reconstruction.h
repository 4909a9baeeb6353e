// Shows as pictures what a masked autoencoder makes of the patches that it does not see. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/random_key.h"
#include "data/dataset.h"
#include "data/decode.h"
#include "evaluation/left_out.h"
#include "model/encoder.h"
#include "model/weights.h"
#include "objective/objective.h"
#include "proto/job.pb.h"

namespace mimeo {

// An encoder and its pixel decoder, on the CPU.
class Reconstructor {
 public:
  // Takes the tensors encoder.* and objective.* of a checkpoint, which it copies. InvalidArgument: the job has no
  // reconstruction objective, or tensors are missing, misshapen or not finite; all are named.
  static absl::StatusOr<std::unique_ptr<Reconstructor>> Create(const NamedTensors& checkpoint, const JobSpec& spec);

  // Draws one picture per image, with three panels: the image, what the encoder sees with the rest in grey, and the
  // prediction, in which visible patches are as they were. Each panel is at least `panel_px` wide, enlarged by whole
  // pixels. `images_BCHW` is uint8, with the job's channels, height and width. May throw what libtorch throws.
  //
  // `keys` draw the masks as the job says: of complementary ones the first, and random ones of the same size in place
  // of focused ones, which only a teacher can draw. Where training normalises patches, a prediction is brought back by
  // its target patch's own mean and deviation, as MAE's demo does.
  std::vector<Pixels> Draw(const at::Tensor& images_BCHW, absl::Span<const RandomKey> keys, int panel_px) const;

  // The spec of the images that it draws.
  const DataSpec& data() const { return data_; }

 private:
  Reconstructor() : parameters_(Parameters::Unset()) {}
  // (B, L, P): visible patches are as they were.
  at::Tensor PredictPatches(const at::Tensor& images_BCHW, const MaskPlan& plan) const;

  DataSpec data_;
  MaskSpec mask_;
  int num_visible_ = 0;
  PixelStatistics statistics_;
  Parameters parameters_;
  std::unique_ptr<Encoder> encoder_;
  std::unique_ptr<ObjectiveSum> objectives_;
};

// What is drawn.
struct DrawOptions {
  int64_t count = 8;
  uint64_t seed = 0;  // of the masks; a sample's mask depends on nothing else
  int panel_px = 192;
};

// Gives `draw` the pictures of options.count images, which are spread over the classes of `dataset`
// (data/spread_sample.h), or of all images where there are no more. They come one after the other in the order of the
// data set. In the place of images that cannot be decoded others are chosen likewise, whose pictures come later.
// Returns the images that are left out. InvalidArgument: no image can be decoded. Other errors are those of `draw` and
// RunPass.
absl::StatusOr<std::vector<LeftOut>> DrawReconstructions(
    const Dataset& dataset, const Reconstructor& reconstructor, const DrawOptions& options,
    const std::function<absl::Status(int64_t sample, const Pixels& picture)>& draw);

}  // namespace mimeo
