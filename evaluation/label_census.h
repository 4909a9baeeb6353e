// Says what k-NN and a linear probe will be measured on, before anything is measured. Pure; no torch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "data/dataset.h"

namespace mimeo {

// Some images of a data set, which messages call `name` ("evaluation.path", "--bank"). The data set is observed.
struct MeasuredSet {
  std::string name;
  const Dataset* dataset = nullptr;
  std::vector<int64_t> samples;
};

// Lines for people: how many images of either set have a label and are measured, and which have none; and which classes
// only one of the sets has, with what that does to an accuracy. Names are text (base/text.h). The first line is about
// the bank, and the second about the queries. Where a set has no label at all, its line says only that.
std::vector<std::string> DescribeLabels(const MeasuredSet& bank, const MeasuredSet& queries);

// Of these lines those that a person must know before believing an accuracy: of a set that has images without a label,
// and of classes that only one set has. Empty where there is nothing of the kind.
std::vector<std::string> LabelNotes(const MeasuredSet& bank, const MeasuredSet& queries);

// InvalidArgument: both sets have labels, and no class of the queries is one of the bank, so that every answer would be
// wrong. The message names classes of both. It looks at all images of the sets, and not at those alone that are
// measured.
absl::Status CheckClassesMeet(const MeasuredSet& bank, const MeasuredSet& queries);

}  // namespace mimeo
