// The encoders and image sizes that a choice is made among, from the smallest to the largest, and what each costs.
// Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "client/worker_verbs/weights_description.h"

namespace mimeo {

// The ways to train that a choice is made among.
enum class Method {
  kSimClr,  // two views of each photo with changes of colour attract each other
  kMae,     // hidden patches are predicted
  kMimic,   // visible patches match a teacher's
};

// One rung of the ladder: a Vision Transformer, and the images that it looks at.
struct Size {
  std::string name;
  int height_px = 0;
  int width_px = 0;
  int patch_px = 0;
  int width = 0;
  int depth = 0;
  int heads = 0;
  // Fewer images than this in the whole training, repeats included, are not worth this size.
  int64_t least_images = 0;
  double peak_rate = 0;  // the learning rate at its highest, of AdamW
  int patches() const { return (height_px / patch_px) * (width_px / patch_px); }
  // Of the encoder, to a few percent: its blocks and the patch embedding.
  int64_t parameters() const;
};

// Encoders that start from random weights, for photos whose smaller side is typically `photo_px`: no image is larger
// than that, but for what is below 16 px. Ascending by cost; at least one.
std::vector<Size> Ladder(int photo_px);

// The images that given weights can look at, from few patches up to as many as they were trained on, or as the photos
// have pixels for. Ascending; at least one.
std::vector<Size> SizesFor(const WeightsDescription& weights, int photo_px);

// Floating-point operations of the training on one image: all views, forward and backward. `teacher_parameters` is 0
// without a teacher. To a quarter or so: it compares sizes, and a measured rate corrects it.
double TrainingFlops(const Size& size, Method method, int64_t teacher_parameters);

// Those of looking at one image without a mask, as evaluations do.
double LookFlops(const Size& size);

}  // namespace mimeo
