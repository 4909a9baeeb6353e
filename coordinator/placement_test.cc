#include "coordinator/placement.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/random_key.h"

namespace mimeo {
namespace {

using Placement = std::vector<std::string>;

std::vector<std::string> PlaceGang(const ResourceSpec& resources, const std::vector<SlotOffer>& offers,
                                   Tier last = Tier::kClean) {
  SlotIndex index;
  for (const SlotOffer& offer : offers) index.Set(offer);
  return index.Place(resources, last);
}

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

SlotOffer Gpus(const std::string& id, int free, bool bfloat16, bool nvlink) {
  return {id, 8, free, true, bfloat16, nvlink};
}

TEST(PlacementTest, ABfloat16JobTakesDevicesThatHaveIt) {
  ResourceSpec resources = Ranks(2);
  resources.set_precision(PRECISION_BF16);
  EXPECT_EQ(PlaceGang(resources, {Gpus("volta", 8, false, true), Gpus("ampere", 8, true, false)}),
            Placement({"ampere", "ampere"}));
  EXPECT_EQ(PlaceGang(resources, {Gpus("volta", 8, false, true), {"cpu", 2, 2, false, true, false}}),
            Placement({"cpu", "cpu"}));
  resources.set_device(DEVICE_CPU);
  EXPECT_EQ(PlaceGang(resources, {Gpus("ampere", 8, true, false)}), Placement())
      << "its CPU may not have what its GPUs have";
  EXPECT_EQ(WorkersWanted(resources), "workers with bfloat16");
}

TEST(PlacementTest, NvLinkIsForGangsOfSeveralRanks) {
  const std::vector<SlotOffer> offers = {Gpus("a_joined", 8, true, true), Gpus("b_apart", 4, true, false),
                                         Gpus("c_joined", 6, true, true)};
  EXPECT_EQ(PlaceGang(Ranks(2), offers), Placement({"c_joined", "c_joined"}));
  EXPECT_EQ(PlaceGang(Ranks(1), offers), Placement({"b_apart"}));
  EXPECT_EQ(PlaceGang(Ranks(1), {offers[0], offers[2]}), Placement({"c_joined"}));
}

TEST(PlacementTest, CapacityCountsBusySlotsOfOneKind) {
  SlotIndex index;
  index.Set({"w0", 4, 0, false});
  EXPECT_EQ(index.Capacity(Ranks(1), Tier::kClean), 4);
  EXPECT_EQ(index.Capacity(Ranks(1, DEVICE_CUDA), Tier::kClean), 0);
  index.Set({"g0", 6, 1, true});
  EXPECT_EQ(index.Capacity(Ranks(1), Tier::kClean), 6) << "kinds were mixed";
  EXPECT_EQ(index.Capacity(Ranks(1, DEVICE_CPU), Tier::kClean), 10);
  index.Set({"g0", 2, 1, true});
  EXPECT_EQ(index.Capacity(Ranks(1), Tier::kClean), 4);
  index.Remove("w0");
  EXPECT_EQ(index.Capacity(Ranks(1), Tier::kClean), 2);
}

SlotOffer Of(Tier tier, const std::string& id, int total, int free) {
  return {id, total, free, false, false, false, tier};
}

TEST(PlacementTest, LaterTiersOnlyWhereEarlierOnesDoNotHoldTheGang) {
  const std::vector<SlotOffer> offers = {Of(Tier::kBlamed, "a", 4, 4), Of(Tier::kClean, "b", 2, 2),
                                         Of(Tier::kClean, "c", 2, 2), Of(Tier::kResting, "d", 8, 8),
                                         Of(Tier::kAway, "e", 8, 8)};
  EXPECT_EQ(PlaceGang(Ranks(3), offers, Tier::kBlamed), Placement({"b", "b", "c"}))
      << "two clean ones before a blamed one";
  EXPECT_EQ(PlaceGang(Ranks(5), offers, Tier::kBlamed), Placement({"b", "b", "c", "c", "a"}));
  EXPECT_EQ(PlaceGang(Ranks(9), offers, Tier::kBlamed), Placement());
  EXPECT_EQ(PlaceGang(Ranks(9), offers, Tier::kResting).size(), 9u);
  EXPECT_EQ(PlaceGang(Ranks(17), offers, Tier::kResting), Placement()) << "nothing is placed on a worker that is away";
}

// Beside a plain search over all workers, in random clusters.
TEST(PlacementTest, TheIndexFindsWhatASearchFinds) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const RandomKey key(seed);
    uint64_t counter = 0;
    const auto below = [&](int64_t bound) { return static_cast<int>(key.Below(bound, counter++)); };
    std::vector<SlotOffer> offers;
    SlotIndex index;
    for (int i = 0; i < 8; ++i) {
      const int total = 1 + below(8);
      const SlotOffer old = Of(Tier::kClean, absl::StrCat("w", i), total, below(total + 1));
      index.Set(old);  // and is replaced
      offers.push_back(Of(Tier::kClean, old.worker_id, total, below(total + 1)));
      index.Set(offers.back());
    }
    const int ranks = 1 + below(20);
    std::sort(offers.begin(), offers.end(), [](const SlotOffer& a, const SlotOffer& b) {
      return std::make_pair(-a.free, a.worker_id) < std::make_pair(-b.free, b.worker_id);
    });
    Placement expected;
    const SlotOffer* whole = nullptr;
    for (const SlotOffer& offer : offers) {
      if (offer.free >= ranks && (whole == nullptr || offer.free < whole->free)) whole = &offer;
      for (int i = 0; i < offer.free && static_cast<int>(expected.size()) < ranks; ++i) {
        expected.push_back(offer.worker_id);
      }
    }
    if (static_cast<int>(expected.size()) < ranks) expected.clear();
    if (whole != nullptr) expected.assign(ranks, whole->worker_id);
    EXPECT_EQ(index.Place(Ranks(ranks), Tier::kClean), expected) << "seed " << seed << ", " << ranks << " ranks";
  }
}

}  // namespace
}  // namespace mimeo
