#include "coordinator/placement.h"

#include <algorithm>
#include <tuple>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"

namespace mimeo {
namespace {

std::vector<std::string> Fill(int num_ranks, std::vector<SlotOffer> offers) {
  absl::c_sort(offers, [](const SlotOffer& a, const SlotOffer& b) {
    return std::make_tuple(-a.free, a.worker_id) < std::make_tuple(-b.free, b.worker_id);
  });
  // NVLink is for gangs: a single rank leaves it to them.
  const auto cost = [&](const SlotOffer& offer) { return std::make_tuple(offer.has_nvlink != (num_ranks > 1), offer.free); };
  const SlotOffer* whole = nullptr;
  for (const SlotOffer& offer : offers) {
    if (offer.free >= num_ranks && (whole == nullptr || cost(offer) < cost(*whole))) whole = &offer;
  }
  if (whole != nullptr) return std::vector<std::string>(num_ranks, whole->worker_id);
  std::vector<std::string> placement;
  for (const SlotOffer& offer : offers) {
    const int taken = std::min(std::max(offer.free, 0), num_ranks - static_cast<int>(placement.size()));
    placement.insert(placement.end(), taken, offer.worker_id);
  }
  if (static_cast<int>(placement.size()) < num_ranks) placement.clear();
  return placement;
}

std::vector<SlotOffer> WithCuda(const std::vector<SlotOffer>& offers, bool has_cuda) {
  std::vector<SlotOffer> kept;
  absl::c_copy_if(offers, std::back_inserter(kept), [&](const SlotOffer& o) { return o.has_cuda == has_cuda; });
  return kept;
}

}  // namespace

bool Suits(const ResourceSpec& resources, const SlotOffer& offer) {
  if (resources.device() == DEVICE_CUDA && !offer.has_cuda) return false;
  if (resources.precision() != PRECISION_BF16) return true;
  // What a CUDA worker says of bfloat16 is said of its GPUs.
  return offer.has_bfloat16 && (resources.device() != DEVICE_CPU || !offer.has_cuda);
}

std::vector<std::string> PlaceGang(const ResourceSpec& resources, const std::vector<SlotOffer>& all) {
  std::vector<SlotOffer> offers;
  absl::c_copy_if(all, std::back_inserter(offers), [&](const SlotOffer& offer) { return Suits(resources, offer); });
  const int num_ranks = resources.num_ranks();
  if (resources.device() == DEVICE_CUDA) return Fill(num_ranks, offers);
  const bool cpu = resources.device() == DEVICE_CPU;
  std::vector<std::string> placement = Fill(num_ranks, WithCuda(offers, !cpu));
  if (placement.empty()) placement = Fill(num_ranks, cpu ? offers : WithCuda(offers, false));
  return placement;
}

bool FitsWhenIdle(const ResourceSpec& resources, std::vector<SlotOffer> offers) {
  for (SlotOffer& offer : offers) offer.free = offer.total;
  return !PlaceGang(resources, offers).empty();
}

std::string WorkersWanted(const ResourceSpec& resources) {
  return absl::StrCat(resources.device() == DEVICE_CUDA ? "CUDA workers" : "workers",
                      resources.precision() == PRECISION_BF16 ? " with bfloat16" : "");
}

}  // namespace mimeo
