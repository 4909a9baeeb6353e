// By how much one classifier is more often right than another one on the same images, with an interval. Pure; no torch.
//
// What the interval covers is which images were drawn: were other images of the same kind judged, the difference would
// be another one. It does not cover what else would change a number: another seed of the training, another bank, and
// that a person tried several encoders on the same images and kept the best.
#pragma once

#include <cstdint>

#include "evaluation/answers.h"

namespace mimeo {

// How many images the two answer rightly.
struct PairedCounts {
  int64_t both = 0;
  int64_t first_only = 0;
  int64_t second_only = 0;
  int64_t neither = 0;
};
// REQUIRES: both answer for the same images in the same order.
PairedCounts CountPairs(const Answers& first, const Answers& second);

// The first one's accuracy minus the second one's, in [-1, 1], and the ends of its 95 % interval.
struct PairedDifference {
  double difference = 0;
  double low = 0;
  double high = 0;
};
// The hybrid score interval for paired data, Newcombe's method 10: Wilson's intervals of both accuracies, joined with
// their correlation phi, whose numerator is corrected for continuity (R. G. Newcombe, "Improved confidence intervals
// for the difference between binomial proportions based on paired data", Statistics in Medicine 17 (1998) 2635-2650).
// It holds for few images and near 0 and 1 too, where the textbook interval is too short. Without images it is [-1, 1].
PairedDifference DifferenceOf(const PairedCounts& counts);

}  // namespace mimeo
