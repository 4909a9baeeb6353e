#include "client/utilization_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mimeo {
namespace {

using ::testing::HasSubstr;

Utilization OneStep() {
  Utilization utilization;
  utilization.set_step_seconds(2);
  utilization.set_communication_seconds(0.25);
  utilization.set_data_wait_seconds(0.5);
  utilization.set_gflop_per_second(300e3);
  utilization.set_peak_memory_bytes(1500000000);
  return utilization;
}

TEST(UtilizationTextTest, SplitsAStepAndSaysUnknownWhereNoPeakIsKnown) {
  EXPECT_EQ(UtilizationText(OneStep()),
            "step 2.000s: compute 1.250s, communication 0.250s, images 0.500s, teacher 0.000s; 300000.0 GFLOP/s, MFU "
            "unknown; 1500 MB at most");
  Utilization known = OneStep();
  known.set_peak_gflop_per_second(1e6);
  EXPECT_THAT(UtilizationText(known), HasSubstr("MFU 30.0%"));
}

}  // namespace
}  // namespace mimeo
