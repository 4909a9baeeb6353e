// What a masked autoencoder makes of the patches it does not see, as pictures. One thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/random_key.h"
#include "data/decode.h"
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

 private:
  Reconstructor() : parameters_(Parameters::Unset()) {}
  at::Tensor PredictPatches(const at::Tensor& images_BCHW,
                            const MaskPlan& plan) const;  // (B, L, P), visible as they are

  MaskSpec mask_;
  int num_visible_ = 0;
  PixelStatistics statistics_;
  Parameters parameters_;
  std::unique_ptr<Encoder> encoder_;
  std::unique_ptr<ObjectiveSum> objectives_;
};

}  // namespace mimeo
