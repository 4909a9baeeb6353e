// What k-NN and a linear probe will be measured on, said before it is measured. Pure; no torch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace mimeo {

// Images of a data set, as messages call it ("evaluation.path", "--bank").
struct MeasuredSet {
  std::string name;
  const Dataset* dataset = nullptr;
  std::vector<int64_t> samples;
};

// For people, a line each: how many images of either set have a label and are measured, and which have none; the
// classes that only one of the sets has, and what that does to an accuracy. Names are text (base/text.h). Where a set
// has no label at all, it says only that.
std::vector<std::string> DescribeLabels(const MeasuredSet& bank, const MeasuredSet& queries);

}  // namespace mimeo
