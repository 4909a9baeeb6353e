#include "client/plan/place.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/testing/status_matchers.h"
#include "job/device_peaks.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
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

TEST(FitWorkersTest, SaysWhyNothingIsPlacedThere) {
  ListWorkersReply workers;
  for (const char* id : {"gone", "leaving", "bare", "cpu", "gpu", "busy"}) {
    *workers.add_workers() = MakeWorker(id, 2, absl::string_view(id) == "cpu" ? "CPU" : "NVIDIA L4", true);
  }
  workers.mutable_workers(0)->set_lease_expired(true);
  workers.mutable_workers(1)->set_leaving(true);
  workers.mutable_workers(2)->mutable_identity()->clear_devices();
  workers.mutable_workers(5)->set_slots_busy(2);
  ResourceSpec resources;
  const auto refused = [&] {
    std::vector<std::string> reasons;
    for (const WorkerFit& fit : FitWorkers(workers, resources)) reasons.push_back(fit.refused);
    return reasons;
  };
  EXPECT_THAT(refused(), ElementsAre("is gone", "is leaving", "has no device", "", "", ""));
  resources.set_device(DEVICE_CUDA);
  EXPECT_THAT(refused(), ElementsAre("is gone", "is leaving", "has no device", "has no CUDA device", "", ""));
  resources.set_device(DEVICE_CPU);
  EXPECT_EQ(refused()[4], "computes on its GPUs only");
}

// The ranks of all slots share a CPU's memory, also those that are busy; each GPU has its own.
TEST(FitWorkersTest, MemoryIsThatOfOneRank) {
  ListWorkersReply workers;
  *workers.add_workers() = MakeWorker("cpu", 4, "CPU", true);
  *workers.add_workers() = MakeWorker("gpu", 4, "NVIDIA L4", true);
  workers.mutable_workers(0)->set_slots_busy(3);
  const std::vector<WorkerFit> fits = FitWorkers(workers, {});
  EXPECT_EQ(fits[0].memory_bytes, int64_t{20} << 30);
  EXPECT_EQ(fits[1].memory_bytes, int64_t{80} << 30);
  EXPECT_EQ(ClusterPlace(workers, {}, "host:7070").memory_bytes, int64_t{20} << 30) << "the least of both";
  std::swap(*workers.mutable_workers(0), *workers.mutable_workers(1));
  EXPECT_EQ(ClusterPlace(workers, {}, "host:7070").memory_bytes, int64_t{20} << 30) << "in any order";
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
