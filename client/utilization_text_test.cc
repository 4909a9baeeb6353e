#include "client/utilization_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include "client/testing/told.h"

namespace mimeo {
namespace {

using ::testing::HasSubstr;
using testing::OneStep;

TEST(UtilizationTextTest, SplitsAStepAndSaysUnknownWhereNoPeakIsKnown) {
  EXPECT_EQ(UtilizationText(OneStep()),
            "step 2.000s: compute 1.250s, communication 0.250s, images 0.500s, teacher 0.000s; 300000.0 GFLOP/s, MFU "
            "unknown; 1500 MB at most");
  Utilization known = OneStep();
  known.set_peak_gflop_per_second(1e6);
  EXPECT_THAT(UtilizationText(known), HasSubstr("MFU 30.0%"));
}

TEST(UtilizationTextTest, NumbersThatCannotBeAreSaidAndBreakNothing) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(UtilizationText(Utilization()),
            "step 0.000s: compute 0.000s, communication 0.000s, images 0.000s, teacher 0.000s; 0.0 GFLOP/s, MFU "
            "unknown; 0 MB at most");
  Utilization utilization = OneStep();
  utilization.set_step_seconds(nan);
  utilization.set_gflop_per_second(infinity);
  utilization.set_peak_memory_bytes(std::numeric_limits<int64_t>::max());
  EXPECT_EQ(UtilizationText(utilization),
            "step nans: compute 0.000s, communication 0.250s, images 0.500s, teacher 0.000s; inf GFLOP/s, MFU "
            "unknown; 9223372036855 MB at most");
}

TEST(UtilizationTextTest, WaitsThatAreLongerThanTheStepLeaveNoTimeBelowZero) {
  Utilization utilization = OneStep();
  utilization.set_communication_seconds(3);
  EXPECT_EQ(ComputeSeconds(utilization), 0);
}

TEST(UtilizationTextTest, APeakThatIsNoneMakesNoShare) {
  Utilization utilization = OneStep();
  for (const double peak : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN()}) {
    utilization.set_peak_gflop_per_second(peak);
    EXPECT_EQ(ModelFlopsUtilization(utilization), 0) << peak;
  }
  utilization.set_peak_gflop_per_second(std::numeric_limits<double>::infinity());
  EXPECT_THAT(UtilizationText(utilization), HasSubstr("MFU unknown"));
  utilization.set_gflop_per_second(std::numeric_limits<double>::quiet_NaN());
  utilization.set_peak_gflop_per_second(1);
  EXPECT_THAT(UtilizationText(utilization), HasSubstr("MFU unknown"));
}

}  // namespace
}  // namespace mimeo
