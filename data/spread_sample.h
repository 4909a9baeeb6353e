// Chooses a part of a data set that stands for the whole of it. All functions are pure.
//
// The first files by name are the first classes by name, so a number that was measured on them is not the data set's.
// Therefore each class gives as many images as its share of the whole allows (the largest remainders are rounded up),
// and within a class those are taken whose names have the smallest SHA-256. The choice depends on names and labels
// alone, and neither on their order nor on a rank or a seed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace mimeo {

// Chooses `most` of the items and returns their indices in ascending order; where there are no more than `most`, it
// returns all. Item i has the class labels[i] and the name names[i]. Label -1 is a class like any other. REQUIRES: as
// many labels as names, and most >= 0.
std::vector<int64_t> SpreadOver(const std::vector<int>& labels, const std::vector<std::string>& names, int64_t most);

// Chooses `most` of those `samples` in the same way. Here 0 stands for all of them.
std::vector<int64_t> SpreadSample(const Dataset& dataset, const std::vector<int64_t>& samples, int64_t most);

std::vector<int64_t> AllSamples(const Dataset& dataset);
// Those of `samples` that have a label, in their order.
std::vector<int64_t> LabelledAmong(const Dataset& dataset, const std::vector<int64_t>& samples);

}  // namespace mimeo
