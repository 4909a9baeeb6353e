// How well ranks use their devices, in words for people. Pure functions.
#pragma once

#include <string>

#include "proto/metrics.pb.h"

namespace mimeo {

// The part of the device's peak that is used (MFU, arXiv 2204.02311, section B), from 0 to 1. 0 where the peak is
// unknown.
double ModelFlopsUtilization(const Utilization& utilization);

// The seconds of a step without its waits. Never below 0.
double ComputeSeconds(const Utilization& utilization);

// "step 0.912s: compute 0.800s, communication 0.010s, images 0.102s, teacher 0.000s; 34.2 GFLOP/s, MFU unknown; 735 MB
// at most".
std::string UtilizationText(const Utilization& utilization);

}  // namespace mimeo
