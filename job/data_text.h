// What a data set leaves out, as lines of text for people. Everything in it is made text (base/text.h). Pure functions.
#pragma once

#include <string>
#include <vector>

#include "proto/data.pb.h"

namespace mimeo {

// The reason under which a name stands for many: ".tif 40".
inline constexpr char kOtherKindsReason[] = "files of other kinds";

// "hidden folders: 2 (.ipynb_checkpoints, @eaDir)", "files of other kinds: 52 (.tif 40, .bmp 12)". "..." says that not
// all of them are named.
std::string PassedOverText(const PassedOver& row);

// "data.path leaves out hidden folders: 1 (.thumbnails)"
std::string PassedOverLine(const std::string& field, const PassedOver& row);

// Takes names, then notes, then whole reasons from the end of the longest data set until all of them together have at
// most limits::kJobDataBytes. The log of whoever opened a data set has everything.
void CutJobData(std::vector<DataContents>* data);

// A line for each reason and each note, in order. Empty where all is used.
std::vector<std::string> DataLines(const DataContents& contents);

}  // namespace mimeo
