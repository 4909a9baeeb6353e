#include "client/run/curve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

namespace mimeo {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(CurveSvgTest, DrawsAPointPerValueAndLabelsTheEnds) {
  const std::string svg = CurveSvg("loss", "step", {{"a", {{1, 4}, {2, 2}, {3, 1}}}});
  EXPECT_THAT(svg, HasSubstr(">4<"));
  EXPECT_THAT(svg, HasSubstr(">1<"));
  EXPECT_THAT(svg, HasSubstr("62.0,12.0 "));    // the first point: left, top
  EXPECT_THAT(svg, HasSubstr("448.0,186.0 "));  // the last: right, bottom
}

TEST(CurveSvgTest, WritesCountsInFullAndNextToNothingAsZero) {
  const std::string svg = CurveSvg("seconds", "step", {{"a", {{1, 8e-8}, {123456, 0.75}}}});
  EXPECT_THAT(svg, HasSubstr(">123456<"));
  EXPECT_THAT(svg, HasSubstr(">0.75<"));
  EXPECT_THAT(svg, HasSubstr(">0<"));
  EXPECT_THAT(CurveSvg("rate", "step", {{"a", {{1, 2.5e-7}, {2, 1e-6}}}}), HasSubstr(">2.5e-07<"));
}

TEST(CurveSvgTest, ThinsLongSeriesAndKeepsTheirEnd) {
  Series series{"a", {}};
  for (int i = 0; i < 10000; ++i) series.points.emplace_back(i, i);
  const std::string svg = CurveSvg("loss", "step", {series});
  const std::string points = svg.substr(svg.find("points=\""));
  EXPECT_LE(std::count(points.begin(), points.end(), ','), 501);
  EXPECT_THAT(svg, HasSubstr("448.0,12.0 \""));  // the last: right, top
}

TEST(CurveSvgTest, LeavesOutWhatIsNotFinite) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(CurveSvg("loss", "step", {{"a", {{1, nan}}}}), "");
  EXPECT_THAT(CurveSvg("loss", "step", {{"a", {{1, nan}, {2, 5}}}}), Not(HasSubstr("nan")));
}

}  // namespace
}  // namespace mimeo
