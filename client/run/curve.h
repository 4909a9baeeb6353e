// Line charts as inline SVG. Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace mimeo {

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  // x ascending; not finite ones are left out
};

// As text (base/text.h), with `&`, `<`, `>` and quotes as entities.
std::string EscapeHtml(absl::string_view bytes);

// A chart with axis labels at its ends and a legend where there is more than one series. About 500 points of each
// series are drawn, the last one among them. Empty when there is nothing to draw.
std::string CurveSvg(absl::string_view title, absl::string_view x_label, const std::vector<Series>& series);

}  // namespace mimeo
