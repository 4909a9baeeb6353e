// What ranks make of their devices, for people. Pure.
#pragma once

#include <string>

#include "proto/metrics.pb.h"

namespace mimeo {

// Share of the vendor's peak (MFU: arXiv 2204.02311, section B), or 0 where the peak is unknown.
double ModelFlopsUtilization(const Utilization& utilization);

// What is left of a step beside its waits; not below 0.
double ComputeSeconds(const Utilization& utilization);

// "step 0.912s: compute 0.800s, communication 0.010s, images 0.102s, teacher 0.000s; 34.2 GFLOP/s, MFU unknown; 735 MB
// at most".
std::string UtilizationText(const Utilization& utilization);

}  // namespace mimeo
