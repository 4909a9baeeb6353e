// What an encoder looks like, according to its weights file: from the shapes of the tensors, from what is stated around
// them, and for the rest from the habits of its family. Pure functions.
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
  // Whether the file states these. If not, heads follow from the width, and the activation from the family.
  bool heads_stated = false;
  bool activation_stated = false;
  std::vector<std::string> notes;  // a line for each value, with where it is from, for people
};

// InvalidArgument: the message names all problems, one per line (RefuseWeights). What it fills in is complete: an
// encoder can be made of `spec` and `image` alone.
absl::StatusOr<Description> Describe(const WeightsFile& weights);

// Which parts an encoder has that is described in full.
VitParts PartsOf(const VitSpec& spec);

// The statistics of OpenAI's CLIP (openai/CLIP, clip/clip.py).
PixelStatistics ClipStatistics();

}  // namespace mimeo
