#include "client/plan/place.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/status_matchers.h"
#include "job/device_peaks.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::StatusIs;

constexpr char kMeminfo[] =
    "MemTotal:       24689512 kB\nMemFree:   100 kB\nMemAvailable:   20000000 kB\nBuffers: 5 kB\n";

TEST(FreeMemoryTest, IsWhatTheKernelSaysOrWhatTheCgroupLeaves) {
  EXPECT_EQ(FreeMemory(kMeminfo, "", ""), int64_t{20000000} * 1024);
  EXPECT_EQ(FreeMemory(kMeminfo, "max\n", "123\n"), int64_t{20000000} * 1024);
  EXPECT_EQ(FreeMemory(kMeminfo, "1000000000\n", "400000000\n"), 600000000);
  EXPECT_EQ(FreeMemory(kMeminfo, "1000\n", "4000\n"), 0);
  EXPECT_EQ(FreeMemory(kMeminfo, "9223372036854771712\n", "4000\n"), int64_t{20000000} * 1024) << "version 1: no bound";
  EXPECT_EQ(FreeMemory("", "", ""), 0);
}

TEST(NamedDeviceTest, EveryOneHasAPeakAndMemory) {
  for (const char* name : {"a10", "a100", "a100_40gb", "a40", "b200", "h100", "H200", "l4", "l40s", "rtx4090"}) {
    ASSERT_OK_AND_ASSIGN(const Place place, NamedDevice(name));
    EXPECT_GT(PeakGflopPerSecond(place.device_name, PRECISION_BF16), 1e5) << name;
    EXPECT_GT(place.memory_bytes, int64_t{20} << 30) << name;
  }
  EXPECT_THAT(NamedDevice("h1000"),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("h1000"), HasSubstr("rtx4090"))));
}

TEST(ThisMachineTest, HasCoresAndMemory) {
  const Place place = ThisMachine(DEVICE_CPU);
  EXPECT_EQ(place.device, DEVICE_CPU);
  EXPECT_GE(place.cores, 1);
  EXPECT_GT(place.memory_bytes, 1 << 20);
}

Worker MakeWorker(const std::string& id, int slots, const std::string& device, bool bfloat16) {
  Worker worker;
  worker.mutable_identity()->set_id(id);
  worker.mutable_identity()->set_slots(slots);
  DeviceInfo* info = worker.mutable_identity()->add_devices();
  info->set_device(device == "CPU" ? DEVICE_CPU : DEVICE_CUDA);
  info->set_name(device);
  info->set_memory_bytes(int64_t{80} << 30);
  info->set_bfloat16(bfloat16);
  return worker;
}

TEST(ClusterPlaceTest, CountsTheSlotsOfWorkersThatSuitAndNamesTheSlowestDevice) {
  ListWorkersReply workers;
  *workers.add_workers() = MakeWorker("w1", 4, "NVIDIA H200", true);
  *workers.add_workers() = MakeWorker("w2", 4, "NVIDIA L4", true);
  *workers.add_workers() = MakeWorker("w3", 2, "CPU", false);
  *workers.add_workers() = MakeWorker("w4", 8, "NVIDIA H200", true);
  workers.mutable_workers(1)->set_slots_busy(1);
  workers.mutable_workers(3)->set_drained(true);
  ResourceSpec resources;
  resources.set_precision(PRECISION_BF16);
  const Place place = ClusterPlace(workers, resources, "host:7070");
  EXPECT_EQ(place.slots, 7);
  EXPECT_EQ(place.device_name, "NVIDIA L4");
  EXPECT_THAT(place.name, AllOf(HasSubstr("host:7070"), HasSubstr("2 workers of 4"), HasSubstr("7 free slots")));
  const std::vector<WorkerFit> fits = FitWorkers(workers, resources);
  EXPECT_EQ(fits[0].refused, "");
  EXPECT_EQ(fits[2].refused, "has no bfloat16");
  EXPECT_EQ(fits[3].refused, "is drained");
}

TEST(ClusterPlaceTest, ABusyWorkerSuits) {
  ListWorkersReply workers;
  *workers.add_workers() = MakeWorker("w1", 4, "NVIDIA H200", true);
  workers.mutable_workers(0)->set_slots_busy(4);
  const Place place = ClusterPlace(workers, ResourceSpec(), "host:7070");
  EXPECT_EQ(place.slots, 0);
  EXPECT_EQ(place.slots_in_all, 4);
  EXPECT_EQ(FitWorkers(workers, ResourceSpec())[0].refused, "");
}

}  // namespace
}  // namespace mimeo
