#include "job/device_peaks.h"

#include <gtest/gtest.h>

namespace mimeo {
namespace {

TEST(DevicePeaksTest, NamesAreTheDrivers) {
  EXPECT_EQ(PeakGflopPerSecond("NVIDIA H200", PRECISION_BF16), 989.4e3);
  EXPECT_EQ(PeakGflopPerSecond("NVIDIA H200 NVL", PRECISION_BF16), 835e3);
  EXPECT_EQ(PeakGflopPerSecond("NVIDIA H100 80GB HBM3", PRECISION_FP32), 66.9e3);
  EXPECT_EQ(PeakGflopPerSecond("NVIDIA A100-SXM4-40GB", PRECISION_BF16), 312e3);
}

TEST(DevicePeaksTest, ANameThatIsOnlyBegunByAnotherIsUnknown) {
  EXPECT_EQ(PeakGflopPerSecond("NVIDIA A10", PRECISION_BF16), 125e3);
  EXPECT_EQ(PeakGflopPerSecond("NVIDIA A10G", PRECISION_BF16), 0);
  EXPECT_EQ(PeakGflopPerSecond("NVIDIA L40", PRECISION_BF16), 0) << "neither an L4 nor an L40S";
}

TEST(DevicePeaksTest, AnUnknownDeviceHasNoPeak) {
  EXPECT_EQ(PeakGflopPerSecond("AMD EPYC 7B13", PRECISION_FP32), 0);
  EXPECT_EQ(PeakGflopPerSecond("", PRECISION_BF16), 0);
}

}  // namespace
}  // namespace mimeo
