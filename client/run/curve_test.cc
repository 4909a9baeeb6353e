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
  Curve series{"a", {}};
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

// A line that has "nan" or "inf" among its points is not drawn at all.
void ExpectDrawn(const std::string& svg) {
  const size_t begin = svg.find("points=\"") + 8;
  const std::string points = svg.substr(begin, svg.find('"', begin) - begin);
  EXPECT_FALSE(points.empty());
  EXPECT_EQ(points.find_first_not_of("0123456789., "), std::string::npos) << points;
}

TEST(CurveSvgTest, AStepThatIsNotFiniteIsLeftOutToo) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(CurveSvg("loss", "step", {{"a", {{nan, 1}, {infinity, 2}}}}), "");
  const std::string svg = CurveSvg("loss", "step", {{"a", {{-infinity, 9}, {1, 4}, {nan, 7}, {2, 5}, {infinity, 8}}}});
  ExpectDrawn(svg);
  EXPECT_THAT(svg, HasSubstr(">5<"));
  EXPECT_THAT(svg, Not(HasSubstr(">9<"))) << "the axis ends at what is drawn";
}

TEST(CurveSvgTest, NumbersAtTheEndsOfADoubleAreDrawn) {
  const double most = std::numeric_limits<double>::max(), least = std::numeric_limits<double>::denorm_min();
  const std::string wide = CurveSvg("loss", "step", {{"a", {{1, -most}, {2, 0}, {3, most}}}});
  ExpectDrawn(wide);
  EXPECT_THAT(wide, HasSubstr("255.0,99.0 ")) << "the middle is in the middle";
  EXPECT_THAT(wide, HasSubstr(">1.8e+308<"));
  ExpectDrawn(CurveSvg("loss", "step", {{"a", {{1, 0}, {2, least}}}}));
  ExpectDrawn(CurveSvg("loss", "step", {{"a", {{1, 5}, {2, 5}}}}));
}

TEST(CurveSvgTest, WithoutPointsThereIsNoChart) {
  EXPECT_EQ(CurveSvg("loss", "step", {}), "");
  EXPECT_EQ(CurveSvg("loss", "step", {{"a", {}}, {"b", {}}}), "");
}

TEST(CurveSvgTest, NamesAreTextAndNoMarkup) {
  const std::string odd = "<b>&\"'caf\xe9\x1b[2J";
  const std::string svg = CurveSvg(odd, odd, {{odd, {{1, 1}}}, {"b", {{1, 2}}}});
  const std::string text = "&lt;b&gt;&amp;&quot;&#39;caf\\xe9\\x1b[2J";
  EXPECT_THAT(svg, HasSubstr("<figcaption>" + text + " <span"));
  EXPECT_THAT(svg, HasSubstr("aria-label=\"" + text + "\""));
  EXPECT_THAT(svg, HasSubstr("</span> " + text + "</span>"));
  EXPECT_THAT(svg, HasSubstr("text-anchor=\"middle\">" + text + "</text>"));
  EXPECT_THAT(svg, Not(HasSubstr("<b>")));
}

TEST(CurveSvgTest, ColoursBeginAgainAfterFourLines) {
  std::vector<Curve> five(5);
  for (Curve& series : five) series.points = {{1, 1}, {2, 2}};
  const std::string svg = CurveSvg("loss", "step", five);
  EXPECT_EQ(svg.find("stroke=\"#0072b2\""),
            svg.find("<polyline") + std::string("<polyline fill=\"none\" stroke-width=\"1.6\" ").size());
  EXPECT_NE(svg.find("stroke=\"#0072b2\""), svg.rfind("stroke=\"#0072b2\""));
}

}  // namespace
}  // namespace mimeo
