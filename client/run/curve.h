// Charts of lines, as SVG that stands inside an HTML page and needs no script, for the report of a run. Pure functions.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace mimeo {

// One line of a chart.
struct Curve {
  std::string name;  // for the legend; it may be any bytes
  // Pairs of x and y, ascending by x. One whose y is not finite is left out.
  std::vector<std::pair<double, double>> points;
};

// `bytes` as text (base/text.h) that can stand in an HTML page or in the value of an attribute: `&`, `<`, `>` and both
// kinds of quotes become entities.
std::string EscapeHtml(absl::string_view bytes);

// A chart with numbers at the ends of its axes, and a legend where there is more than one curve. Of each curve about
// 500 points at most are drawn, and its last one always is. Title, label and names may be any bytes. Empty when there
// is nothing to draw.
std::string CurveSvg(absl::string_view title, absl::string_view x_label, const std::vector<Curve>& series);

}  // namespace mimeo
