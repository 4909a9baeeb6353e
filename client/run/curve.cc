#include "client/run/curve.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "base/print.h"

namespace mimeo {
namespace {

constexpr double kWidth = 460, kHeight = 220, kLeft = 62, kRight = 12, kTop = 12, kBottom = 34;
constexpr size_t kPointsMax = 500;
// Readable on light and dark grounds, and apart for the colour-blind (Okabe and Ito).
constexpr const char* kColours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7"};

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void Add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  // Halves: the difference of two numbers near the ends of a double is none.
  double HalfWidth() const { return high / 2 - low / 2; }
  double Place(double value) const { return HalfWidth() > 0 ? (value / 2 - low / 2) / HalfWidth() : 0.5; }
};

bool IsDrawn(const std::pair<double, double>& point) {
  return std::isfinite(point.first) && std::isfinite(point.second);
}

// Steps and counts in full; what is nothing beside the range as 0.
std::string Number(double value, const Range& range) {
  const double size = std::abs(value);
  if (size / 2 < 1e-6 * range.HalfWidth()) return "0";
  return size >= 1000 && size < 1e9 ? absl::StrFormat("%.0f", value) : absl::StrFormat("%.3g", value);
}

std::string Label(double x, double y, absl::string_view anchor, absl::string_view text) {
  return absl::StrFormat("<text x=\"%.0f\" y=\"%.0f\" font-size=\"11\" fill=\"#7b858f\" text-anchor=\"%s\">%s</text>",
                         x, y, anchor, EscapeHtml(text));
}

std::string Polyline(const Curve& series, const Range& xs, const Range& ys, absl::string_view colour) {
  const size_t stride = std::max<size_t>(1, (series.points.size() + kPointsMax - 1) / kPointsMax);
  std::string points;
  for (size_t i = 0; i < series.points.size(); ++i) {
    const auto& [x, y] = series.points[i];
    if ((i % stride != 0 && i + 1 != series.points.size()) || !IsDrawn(series.points[i])) continue;
    absl::StrAppendFormat(&points, "%.1f,%.1f ", kLeft + xs.Place(x) * (kWidth - kLeft - kRight),
                          kHeight - kBottom - ys.Place(y) * (kHeight - kTop - kBottom));
  }
  return absl::StrCat("<polyline fill=\"none\" stroke-width=\"1.6\" stroke=\"", colour, "\" points=\"", points, "\"/>");
}

}  // namespace

std::string EscapeHtml(absl::string_view bytes) {
  return absl::StrReplaceAll(WholeText(bytes),
                             {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

std::string CurveSvg(absl::string_view title, absl::string_view x_label, const std::vector<Curve>& series) {
  Range xs, ys;
  for (const Curve& one : series) {
    for (const auto& point : one.points) {
      if (!IsDrawn(point)) continue;
      xs.Add(point.first);
      ys.Add(point.second);
    }
  }
  if (!(xs.high >= xs.low)) return "";
  std::string svg = absl::StrFormat("<figure><figcaption>%s", EscapeHtml(title));
  for (size_t i = 0; i < series.size() && series.size() > 1; ++i) {
    absl::StrAppend(&svg, " <span class=\"key\"><span style=\"color:", kColours[i % 4], "\">&#9632;</span> ",
                    EscapeHtml(series[i].name), "</span>");
  }
  absl::StrAppendFormat(&svg, "</figcaption><svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\">", kWidth,
                        kHeight, EscapeHtml(title));
  // Colours as attributes too, for viewers that keep a page's style out of its pictures.
  absl::StrAppendFormat(&svg, "<path class=\"axis\" fill=\"none\" stroke=\"#8a949e\" d=\"M%.0f %.0fV%.0fH%.0f\"/>",
                        kLeft, kTop, kHeight - kBottom, kWidth - kRight);
  absl::StrAppend(&svg, Label(kLeft - 6, kTop + 8, "end", Number(ys.high, ys)),
                  Label(kLeft - 6, kHeight - kBottom, "end", Number(ys.low, ys)),
                  Label(kLeft, kHeight - kBottom + 16, "start", Number(xs.low, xs)),
                  Label(kWidth - kRight, kHeight - kBottom + 16, "end", Number(xs.high, xs)),
                  Label((kLeft + kWidth - kRight) / 2, kHeight - kBottom + 16, "middle", x_label));
  for (size_t i = 0; i < series.size(); ++i) absl::StrAppend(&svg, Polyline(series[i], xs, ys, kColours[i % 4]));
  absl::StrAppend(&svg, "</svg></figure>");
  return svg;
}

}  // namespace mimeo
