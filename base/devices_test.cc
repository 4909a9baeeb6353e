#include "base/devices.h"

#include <gtest/gtest.h>

namespace mimeo {
namespace {

TEST(DevicesTest, TheCpuIsOneDeviceWithANameAndMemory) {
  const auto devices = FindDevices("cpu");
  ASSERT_TRUE(devices.ok()) << devices.status();
  ASSERT_EQ(devices->size(), 1u);
  EXPECT_EQ((*devices)[0].device(), DEVICE_CPU);
  EXPECT_FALSE((*devices)[0].name().empty());
  EXPECT_GT((*devices)[0].memory_bytes(), int64_t{64} << 20);
}

TEST(DevicesTest, AutoFindsSomethingEverywhere) {
  const auto devices = FindDevices("auto");
  ASSERT_TRUE(devices.ok()) << devices.status();
  EXPECT_FALSE(devices->empty());
}

TEST(DevicesTest, CudaIsNeverSilentlyReplaced) {
  const auto devices = FindDevices("cuda");
  if (devices.ok()) {
    EXPECT_EQ((*devices)[0].device(), DEVICE_CUDA);
  } else {
    EXPECT_TRUE(absl::IsNotFound(devices.status()));
  }
}

TEST(DevicesTest, AnotherWordIsRefusedWithTheChoices) {
  const auto devices = FindDevices("gpu");
  EXPECT_TRUE(absl::IsInvalidArgument(devices.status()));
  EXPECT_NE(devices.status().message().find("one of auto, cpu, cuda"), absl::string_view::npos);
}

}  // namespace
}  // namespace mimeo
