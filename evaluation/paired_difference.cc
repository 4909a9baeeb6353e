#include "evaluation/paired_difference.h"

#include <algorithm>
#include <cmath>

namespace mimeo {
namespace {

constexpr double kZ = 1.959963984540054;  // the normal distribution has 95 % within so many deviations

struct Interval {
  double low = 0;
  double high = 0;
};

// E. B. Wilson's interval of a share (Journal of the American Statistical Association 22 (1927) 209-212).
Interval WilsonInterval(double share, double n) {
  const double center = share + kZ * kZ / (2 * n);
  const double half = kZ * std::sqrt(share * (1 - share) / n + kZ * kZ / (4 * n * n));
  const double scale = 1 + kZ * kZ / n;
  return {std::max(0.0, (center - half) / scale), std::min(1.0, (center + half) / scale)};
}

// The correlation of the two, with Newcombe's correction for continuity where it is positive.
double Phi(double a, double b, double c, double d) {
  const double margins = (a + b) * (c + d) * (a + c) * (b + d);
  if (margins == 0) return 0;
  const double product = a * d - b * c;
  return (product > 0 ? std::max(product - (a + b + c + d) / 2, 0.0) : product) / std::sqrt(margins);
}

// The distance of an end from the difference, of the distances of the accuracies' own ends.
double Joined(double first, double second, double phi) {
  return std::sqrt(std::max(0.0, first * first - 2 * phi * first * second + second * second));
}

}  // namespace

PairedCounts CountPairs(const Answers& first, const Answers& second) {
  PairedCounts counts;
  for (size_t i = 0; i < first.truth.size(); ++i) {
    const bool first_right = first.said[i] == first.truth[i], second_right = second.said[i] == second.truth[i];
    ++(first_right ? (second_right ? counts.both : counts.first_only)
                   : (second_right ? counts.second_only : counts.neither));
  }
  return counts;
}

PairedDifference DifferenceOf(const PairedCounts& counts) {
  const auto a = static_cast<double>(counts.both), b = static_cast<double>(counts.first_only),
             c = static_cast<double>(counts.second_only), d = static_cast<double>(counts.neither);
  const double n = a + b + c + d;
  if (n == 0) return {0, -1, 1};
  const double first = (a + b) / n, second = (a + c) / n, phi = Phi(a, b, c, d);
  const Interval of_first = WilsonInterval(first, n), of_second = WilsonInterval(second, n);
  PairedDifference found;
  found.difference = (b - c) / n;
  found.low = found.difference - Joined(first - of_first.low, of_second.high - second, phi);
  found.high = found.difference + Joined(of_first.high - first, second - of_second.low, phi);
  return found;
}

}  // namespace mimeo
