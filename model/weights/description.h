// What an encoder's shape is by its weights file: from the tensors' shapes, from what is stated around them, and for
// the rest from the habits of its family. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/patches.h"
#include "model/shapes.h"
#include "model/weights/weights_file.h"
#include "proto/job.pb.h"

namespace mimeo {

struct Description {
  EncoderSpec spec;  // every field set
  ImageShape image;  // the file's own
  PixelStatistics statistics;
  bool heads_stated = false;  // else assumed from the width
  bool activation_stated = false;
  std::vector<std::string> notes;  // a line for each: the value and where it is from
};

// InvalidArgument: all problems, named.
absl::StatusOr<Description> Describe(const WeightsFile& weights);

// The parts of an encoder that is described whole.
VitParts PartsOf(const VitSpec& spec);

// OpenAI CLIP's (clip/clip.py).
PixelStatistics ClipStatistics();

}  // namespace mimeo
