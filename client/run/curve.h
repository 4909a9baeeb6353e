// Line charts as SVG that stands inside an HTML page. Pure functions.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace mimeo {

struct Curve {
  std::string name;
  std::vector<std::pair<double, double>> points;  // x ascending; not finite ones are left out
};

// `bytes` as text (base/text.h) for HTML: `&`, `<`, `>` and quotes become entities.
std::string EscapeHtml(absl::string_view bytes);

// A chart with numbers at the ends of its axes, and a legend where there is more than one series. At most about 500
// points of each series are drawn, and the last one always is. Empty when there is nothing to draw.
std::string CurveSvg(absl::string_view title, absl::string_view x_label, const std::vector<Curve>& series);

}  // namespace mimeo
