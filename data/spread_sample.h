// A part of a data set that stands for the whole of it: spread over the classes, and whatever the order of its files.
// Pure.
//
// The first files by name are the first classes by name, and a number that was measured on them is not the data set's.
// So of each class as many images are taken as its share of the whole allows (by largest remainder), and within a class
// those whose names have the smallest SHA-256. The choice depends on names and labels alone: not on their order, on a
// rank, or on a seed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace mimeo {

// Which `most` of the items are taken, ascending; all of them where there are no more. Item i has the class labels[i]
// and the name names[i]; those of label -1 are a class like any other. REQUIRES: as many labels as names, most >= 0.
std::vector<int64_t> SpreadOver(const std::vector<int>& labels, const std::vector<std::string>& names, int64_t most);

// Likewise `most` of those `samples` of a data set; `most` 0: all of them.
std::vector<int64_t> SpreadSample(const Dataset& dataset, const std::vector<int64_t>& samples, int64_t most);

std::vector<int64_t> AllSamples(const Dataset& dataset);
// Those of `samples` that have a label.
std::vector<int64_t> LabelledAmong(const Dataset& dataset, const std::vector<int64_t>& samples);

}  // namespace mimeo
