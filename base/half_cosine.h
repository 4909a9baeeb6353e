// The schedule that rates, averages and weights follow: half a cosine. Pure.
#pragma once

#include <cmath>

namespace mimeo {

// `from` at 0, `to` at 1.
inline double HalfCosine(double from, double to, double along) {
  return to + (from - to) * (1 + std::cos(std::acos(-1.0) * along)) / 2;
}

}  // namespace mimeo
