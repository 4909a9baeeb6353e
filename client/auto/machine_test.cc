#include "client/auto/machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/devices.h"
#include "client/plan/place.h"

namespace mimeo {
namespace {

TEST(LookAtMachineTest, CountsTheMemoryThatIsFreeAsThePlanDoes) {
  const auto machine = LookAtMachine();
  ASSERT_TRUE(machine.ok()) << machine.status();
  EXPECT_LT(machine->memory_bytes, CpuDevice().memory_bytes()) << "others hold some of it";
  EXPECT_NEAR(static_cast<double>(machine->memory_bytes), static_cast<double>(FreeMemoryHere()), 2e9);
  EXPECT_THAT(MachineText(*machine), ::testing::HasSubstr("GB of free memory"));
}

}  // namespace
}  // namespace mimeo
