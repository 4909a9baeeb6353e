// What the shapes of an encoder's tensors say: its kind, sizes and parts, and the grid that its positions are for. Pure
// functions.
#pragma once

#include <string>
#include <vector>

#include "model/shapes.h"
#include "model/weights/stated.h"
#include "model/weights/weights_file.h"
#include "proto/job.pb.h"

namespace mimeo {

// Fills all of `spec` but heads, activation and norm_epsilon; `image` from what is stated where that fits the
// positions, else as the square that they are for. Problems name keys and shapes; they leave the rest undefined. A job
// under Mimeo's names has the last word.
void ReadShapes(const WeightsFile& weights, const Stated& stated, EncoderSpec* spec, ImageShape* image,
                std::vector<std::string>* notes, std::vector<std::string>* problems);

std::string ShapeText(at::IntArrayRef shape);  // "[36, 12]"

}  // namespace mimeo
