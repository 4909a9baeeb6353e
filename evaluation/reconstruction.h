// What a masked autoencoder makes of the patches it does not see, as pictures. One thread.
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

class Reconstructor {
 public:
  // From the tensors of a checkpoint, encoder.* and objective.*. InvalidArgument: the job has no reconstruction
  // objective, or tensors are missing, misshapen or not finite (all named).
  static absl::StatusOr<std::unique_ptr<Reconstructor>> Create(const NamedTensors& checkpoint, const JobSpec& spec);

  // One picture per image: the image | what the encoder sees, the rest grey | the prediction, visible patches as they
  // are. Each panel is at least `panel_px` wide, enlarged by whole pixels. `images_BCHW` is uint8, of the job's
  // channels, height and width. `keys` draw the masks as the job says: of complementary ones the first, and random ones
  // of the same size in place of focused ones, which only a teacher can draw. With patches normalised in training, a
  // prediction is brought back by its target patch's own mean and deviation, as MAE's demo does.
  std::vector<Pixels> Draw(const at::Tensor& images_BCHW, absl::Span<const RandomKey> keys, int panel_px) const;

  // Of the images that it draws.
  const DataSpec& data() const { return data_; }

 private:
  Reconstructor() : parameters_(Parameters::Unset()) {}
  at::Tensor PredictPatches(const at::Tensor& images_BCHW,
                            const MaskPlan& plan) const;  // (B, L, P), visible as they are

  DataSpec data_;
  MaskSpec mask_;
  int num_visible_ = 0;
  PixelStatistics statistics_;
  Parameters parameters_;
  std::unique_ptr<Encoder> encoder_;
  std::unique_ptr<ObjectiveSum> objectives_;
};

struct DrawOptions {
  int64_t count = 8;
  uint64_t seed = 0;  // of the masks; a sample's mask depends on nothing else
  int panel_px = 192;
};

// Gives `draw` the pictures of options.count images, which are spread over the classes of `dataset`
// (data/spread_sample.h), or of all where there are no more: in the order of the data set, one after the other. In the
// place of those that cannot be decoded others are chosen likewise, whose pictures come after them. Gives those that
// are left out. InvalidArgument: no image can be decoded. Others: of `draw`, and as RunPass.
absl::StatusOr<std::vector<LeftOut>> DrawReconstructions(
    const Dataset& dataset, const Reconstructor& reconstructor, const DrawOptions& options,
    const std::function<absl::Status(int64_t sample, const Pixels& picture)>& draw);

}  // namespace mimeo
