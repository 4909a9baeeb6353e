// Can the weights of one encoder start another? Pure functions.
#pragma once

#include <string>
#include <vector>

#include "model/shapes.h"
#include "model/weights/description.h"
#include "proto/job.pb.h"

namespace mimeo {

struct SpecComparison {
  std::vector<std::string> problems;  // fields of the job's spec that the file contradicts, each with both values
  std::vector<std::string> notes;     // differences that do not hinder: the job's value is used
};

// `positions_key` is named where the file's positions are learned and the job keeps fixed ones.
SpecComparison CompareSpecs(const Description& file, const EncoderSpec& job, const ImageShape& image,
                            const std::string& positions_key);

}  // namespace mimeo
