// Says whether the weights of one encoder can start another one. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "model/shapes.h"
#include "model/weights/description.h"
#include "proto/job.pb.h"

namespace mimeo {

// What a comparison found. The weights fit if there are no problems.
struct SpecComparison {
  std::vector<std::string> problems;  // fields of the job's spec that the file contradicts, each with both values
  std::vector<std::string> notes;     // differences that do not hinder: the job's value is used
};

// `positions_key` is how the file calls its positions: it is named where they are learned and the job keeps fixed ones.
// Where the file does not state a value, such as heads, it was assumed, and then the job's value counts. Positions of
// another grid are no problem, because they are interpolated.
SpecComparison CompareSpecs(const Description& file, const EncoderSpec& job, const ImageShape& image,
                            const std::string& positions_key);

}  // namespace mimeo
