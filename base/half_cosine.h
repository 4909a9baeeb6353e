// Half a cosine: how learning rates, weight decay, the decay of averaged weights and the weights of objectives change
// over a training (SGDR, Loshchilov and Hutter, ICLR 2017, equation 5, without restarts). Pure.
#pragma once

#include <cmath>

namespace mimeo {

// `from` where `along` is 0, `to` where it is 1, and flat at both ends. `along` is the share of the way, in [0, 1].
inline double HalfCosine(double from, double to, double along) {
  return to + (from - to) * (1 + std::cos(std::acos(-1.0) * along)) / 2;
}

}  // namespace mimeo
