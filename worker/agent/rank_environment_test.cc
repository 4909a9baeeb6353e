#include "worker/agent/rank_environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

namespace mimeo {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::Not;
using ::testing::StartsWith;

RankEnvironmentOptions TwoGpus() {
  RankEnvironmentOptions options;
  options.threads = 3;
  options.host = "127.0.0.1";
  options.flight_record_prefix = "/var/mimeo/j1.nccl.";
  options.cuda_devices = {"GPU-a", "GPU-b"};
  return options;
}

TEST(RankEnvironmentTest, ASlotGetsItsDeviceByName) {
  EXPECT_THAT(RankEnvironment(TwoGpus(), 1), Contains("CUDA_VISIBLE_DEVICES=GPU-b"));
  EXPECT_THAT(RankEnvironment(TwoGpus(), 2), Contains("CUDA_VISIBLE_DEVICES=GPU-a"));
}

TEST(RankEnvironmentTest, AWorkerWithoutDevicesHidesThemAndSaysNothingOfNccl) {
  RankEnvironmentOptions options = TwoGpus();
  options.cuda_devices.clear();
  const std::vector<std::string> environment = RankEnvironment(options, 0);
  EXPECT_THAT(environment, Contains("CUDA_VISIBLE_DEVICES="));
  EXPECT_THAT(environment, Contains("OMP_NUM_THREADS=3"));
  EXPECT_THAT(environment, Each(Not(StartsWith("NCCL_"))));
}

TEST(RankEnvironmentTest, NcclUsesTheHostsInterfaceAndRecordsItsCollectives) {
  const std::vector<std::string> environment = RankEnvironment(TwoGpus(), 0);
  EXPECT_THAT(environment, Contains("NCCL_SOCKET_IFNAME==lo"));
  EXPECT_THAT(environment, Contains("TORCH_FR_DUMP_TEMP_FILE=/var/mimeo/j1.nccl."));
  EXPECT_THAT(environment, Contains("TORCH_NCCL_DUMP_ON_TIMEOUT=1"));
}

TEST(RankEnvironmentTest, WhatThePersonSetForNcclStays) {
  ASSERT_EQ(setenv("NCCL_SOCKET_IFNAME", "ib0", /*overwrite=*/1), 0);
  EXPECT_THAT(RankEnvironment(TwoGpus(), 0), Each(Not(StartsWith("NCCL_SOCKET_IFNAME"))));
  unsetenv("NCCL_SOCKET_IFNAME");
}

TEST(RankEnvironmentTest, AnAddressOfAnotherHostHasNoInterface) {
  EXPECT_EQ(InterfaceOf("127.0.0.1"), "lo");
  EXPECT_EQ(InterfaceOf("192.0.2.1"), "");  // TEST-NET-1
  EXPECT_EQ(InterfaceOf("a name"), "");
}

}  // namespace
}  // namespace mimeo
