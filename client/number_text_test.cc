#include "client/number_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace mimeo {
namespace {

using ::testing::Not;

TEST(NumberTextTest, ReadsAsPeopleWriteNumbers) {
  EXPECT_EQ(NumberText(40460.4), "40,460");
  EXPECT_EQ(NumberText(1234567890.0), "1,234,567,890");
  EXPECT_EQ(NumberText(999.9), "1,000");
  EXPECT_EQ(NumberText(64, 4), "64");
  EXPECT_EQ(NumberText(3.14159), "3.14");
  EXPECT_EQ(NumberText(0.000241), "0.000241");
  EXPECT_EQ(NumberText(1.5e-7, 2), "0.00000015");
  EXPECT_EQ(NumberText(-2500), "-2,500");
  EXPECT_EQ(NumberText(0), "0");
  EXPECT_EQ(NumberText(std::nan("")), "nan");
  EXPECT_EQ(NumberText(-std::numeric_limits<double>::infinity()), "-inf");
}

TEST(NumberTextTest, NoNumberHasAnExponent) {
  for (int power = -14; power < 300; ++power) {
    const double value = 1.2345 * std::pow(10, power);
    EXPECT_THAT(NumberText(value), Not(::testing::HasSubstr("e"))) << power;
    EXPECT_NE(NumberText(value), "0") << power;
  }
}

TEST(NumberTextTest, CountsAndBytes) {
  EXPECT_EQ(CountText(111654400), "112 M");
  EXPECT_EQ(CountText(85800000), "85.8 M");
  EXPECT_EQ(CountText(900), "900");
  EXPECT_EQ(BytesText(int64_t{5} << 30), "5.0 GiB");
  EXPECT_EQ(BytesText(1001), "1.0 KiB");
}

TEST(NumberTextTest, Durations) {
  EXPECT_EQ(DurationText(90), "90 s");
  EXPECT_EQ(DurationText(552), "9.2 min");
  EXPECT_EQ(DurationText(600), "10 min");
  EXPECT_EQ(DurationText(6000), "100 min");
  EXPECT_EQ(DurationText(12000), "3 h 20 min");
  EXPECT_EQ(DurationText(864000), "10.0 days");
}

TEST(NumberTextTest, ShortDurationsAreOneNumberInTheLargestUnit) {
  EXPECT_EQ(ShortDurationText(-5), "0s");
  EXPECT_EQ(ShortDurationText(59.9), "59s");
  EXPECT_EQ(ShortDurationText(60), "1m");
  EXPECT_EQ(ShortDurationText(61 * 60), "1h");
  EXPECT_EQ(ShortDurationText(49 * 3600), "2d");
  EXPECT_EQ(ShortDurationText(std::numeric_limits<double>::infinity()), "999d");
}

}  // namespace
}  // namespace mimeo
