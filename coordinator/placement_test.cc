#include "coordinator/placement.h"

#include <gtest/gtest.h>

namespace mimeo {
namespace {

using Placement = std::vector<std::string>;

ResourceSpec Ranks(int num_ranks, Device device = DEVICE_AUTO) {
  ResourceSpec resources;
  resources.set_num_ranks(num_ranks);
  resources.set_device(device);
  return resources;
}

TEST(PlacementTest, TheFullestWorkerThatHoldsTheGangWhole) {
  const std::vector<SlotOffer> offers = {{"w0", 8, 8, false}, {"w1", 8, 3, false}, {"w2", 8, 2, false}};
  EXPECT_EQ(PlaceGang(Ranks(3), offers), Placement({"w1", "w1", "w1"}));
  EXPECT_EQ(PlaceGang(Ranks(1), offers), Placement({"w2"}));
}

TEST(PlacementTest, ElseTheEmptiestFirstRanksOfOneWorkerTogether) {
  const std::vector<SlotOffer> offers = {{"w0", 8, 1, false}, {"w1", 8, 2, false}, {"w2", 8, 2, false}};
  EXPECT_EQ(PlaceGang(Ranks(4), offers), Placement({"w1", "w1", "w2", "w2"}));
  EXPECT_EQ(PlaceGang(Ranks(5), offers), Placement({"w1", "w1", "w2", "w2", "w0"}));
  EXPECT_EQ(PlaceGang(Ranks(6), offers), Placement()) << "all or none";
}

TEST(PlacementTest, NothingIsFreeWhereMoreIsBusyThanThere) {
  EXPECT_EQ(PlaceGang(Ranks(1), {{"w0", 1, -1, false}}), Placement());
  EXPECT_EQ(PlaceGang(Ranks(1), {}), Placement());
}

TEST(PlacementTest, AGangIsOfOneKind) {
  const std::vector<SlotOffer> offers = {{"cpu", 2, 2, false}, {"gpu", 2, 2, true}};
  EXPECT_EQ(PlaceGang(Ranks(2, DEVICE_CUDA), offers), Placement({"gpu", "gpu"}));
  EXPECT_EQ(PlaceGang(Ranks(3, DEVICE_CUDA), offers), Placement());
  EXPECT_EQ(PlaceGang(Ranks(2, DEVICE_AUTO), offers), Placement({"gpu", "gpu"}));
  EXPECT_EQ(PlaceGang(Ranks(3, DEVICE_AUTO), offers), Placement()) << "kinds were mixed";
  EXPECT_EQ(PlaceGang(Ranks(2, DEVICE_AUTO), {{"cpu", 2, 2, false}, {"gpu", 2, 1, true}}), Placement({"cpu", "cpu"}));
  EXPECT_EQ(PlaceGang(Ranks(2, DEVICE_CPU), offers), Placement({"cpu", "cpu"}));
  EXPECT_EQ(PlaceGang(Ranks(3, DEVICE_CPU), offers).size(), 3u) << "a CUDA worker has a CPU";
}

SlotOffer Gpus(const std::string& id, int free, bool bfloat16, bool nvlink) { return {id, 8, free, true, bfloat16, nvlink}; }

TEST(PlacementTest, ABfloat16JobTakesDevicesThatHaveIt) {
  ResourceSpec resources = Ranks(2);
  resources.set_precision(PRECISION_BF16);
  EXPECT_EQ(PlaceGang(resources, {Gpus("volta", 8, false, true), Gpus("ampere", 8, true, false)}), Placement({"ampere", "ampere"}));
  EXPECT_EQ(PlaceGang(resources, {Gpus("volta", 8, false, true), {"cpu", 2, 2, false, true, false}}), Placement({"cpu", "cpu"}));
  resources.set_device(DEVICE_CPU);
  EXPECT_EQ(PlaceGang(resources, {Gpus("ampere", 8, true, false)}), Placement()) << "its CPU may not have what its GPUs have";
  EXPECT_EQ(WorkersWanted(resources), "workers with bfloat16");
}

TEST(PlacementTest, NvLinkIsForGangsOfSeveralRanks) {
  const std::vector<SlotOffer> offers = {Gpus("a_joined", 8, true, true), Gpus("b_apart", 4, true, false), Gpus("c_joined", 6, true, true)};
  EXPECT_EQ(PlaceGang(Ranks(2), offers), Placement({"c_joined", "c_joined"}));
  EXPECT_EQ(PlaceGang(Ranks(1), offers), Placement({"b_apart"}));
  EXPECT_EQ(PlaceGang(Ranks(1), {offers[0], offers[2]}), Placement({"c_joined"}));
}

TEST(PlacementTest, FitsWhenIdleCountsBusySlots) {
  EXPECT_TRUE(FitsWhenIdle(Ranks(4), {{"w0", 4, 0, false}}));
  EXPECT_FALSE(FitsWhenIdle(Ranks(5), {{"w0", 4, 0, false}}));
  EXPECT_FALSE(FitsWhenIdle(Ranks(1, DEVICE_CUDA), {{"w0", 4, 0, false}}));
}

}  // namespace
}  // namespace mimeo
