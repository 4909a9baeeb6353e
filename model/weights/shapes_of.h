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

// Fills all of `spec` except heads, activation and norm_epsilon. `image` is what is stated, where that fits the
// positions, and otherwise the square that they are for. Problems name keys and shapes; if there are any, `spec` and
// `image` mean nothing. For a file under Mimeo's names its job has the last word.
void ReadShapes(const WeightsFile& weights, const Stated& stated, EncoderSpec* spec, ImageShape* image,
                std::vector<std::string>* notes, std::vector<std::string>* problems);

std::string ShapeText(at::IntArrayRef shape);  // "[36, 12]"

}  // namespace mimeo
