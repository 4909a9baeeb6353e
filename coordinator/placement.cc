#include "coordinator/placement.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"

namespace mimeo {
namespace {

constexpr int kCuda = 1;
constexpr int kBfloat16 = 2;
constexpr int kNvlink = 4;

}  // namespace

bool operator==(const SlotOffer& a, const SlotOffer& b) {
  const auto all = [](const SlotOffer& o) {
    return std::tie(o.worker_id, o.total, o.free, o.has_cuda, o.has_bfloat16, o.has_nvlink, o.tier);
  };
  return all(a) == all(b);
}

int SlotIndex::KindOf(const SlotOffer& offer) {
  return (offer.has_cuda ? kCuda : 0) | (offer.has_bfloat16 ? kBfloat16 : 0) | (offer.has_nvlink ? kNvlink : 0);
}

void SlotIndex::Set(const SlotOffer& offer) {
  Remove(offer.worker_id);
  offers_[offer.worker_id] = offer;
  Group& group = groups_[static_cast<int>(offer.tier)][KindOf(offer)];
  group.total_slots += offer.total;
  if (offer.free <= 0) return;
  group.free_slots += offer.free;
  group.free.emplace(-offer.free, offer.worker_id);
}

void SlotIndex::Remove(const std::string& worker_id) {
  const auto found = offers_.find(worker_id);
  if (found == offers_.end()) return;
  const SlotOffer& offer = found->second;
  Group& group = groups_[static_cast<int>(offer.tier)][KindOf(offer)];
  group.total_slots -= offer.total;
  if (offer.free > 0) {
    group.free_slots -= offer.free;
    group.free.erase({-offer.free, worker_id});
  }
  offers_.erase(found);
}

const SlotOffer* SlotIndex::Find(const std::string& worker_id) const {
  const auto found = offers_.find(worker_id);
  return found == offers_.end() ? nullptr : &found->second;
}

SlotIndex::Without::Without(SlotIndex* index, const std::set<std::string>& workers) : index_(index) {
  for (const std::string& id : workers) {
    if (const SlotOffer* const offer = index->Find(id)) removed_.push_back(*offer);
  }
  for (const SlotOffer& offer : removed_) index->Remove(offer.worker_id);
}

SlotIndex::Without::~Without() {
  for (const SlotOffer& offer : removed_) index_->Set(offer);
}

SlotIndex::Lent::Lent(SlotIndex* index, const std::map<std::string, int>& slots) : index_(index) {
  for (const auto& [id, more] : slots) {
    const SlotOffer* const offer = index->Find(id);
    if (offer == nullptr) continue;
    before_.push_back(*offer);
    SlotOffer lent = *offer;
    lent.free += more;
    index->Set(lent);
  }
}

SlotIndex::Lent::~Lent() {
  for (const SlotOffer& offer : before_) index_->Set(offer);
}

// Those that suit, of the sides that are asked for.
SlotIndex::Kinds SlotIndex::KindsThat(const ResourceSpec& resources, bool cuda, bool no_cuda) {
  Kinds kinds = {};
  for (int kind = 0; kind < kKinds; ++kind) {
    SlotOffer offer;
    offer.has_cuda = (kind & kCuda) != 0;
    offer.has_bfloat16 = (kind & kBfloat16) != 0;
    kinds[kind] = (offer.has_cuda ? cuda : no_cuda) && Suits(resources, offer);
  }
  return kinds;
}

int SlotIndex::Total(const Kinds& kinds, int tiers) const {
  int total = 0;
  for (int tier = 0; tier < tiers; ++tier) {
    for (int kind = 0; kind < kKinds; ++kind) total += kinds[kind] ? groups_[tier][kind].total_slots : 0;
  }
  return total;
}

// On one worker: the fullest that holds them all.
std::vector<std::string> SlotIndex::FillWhole(int num_ranks, const Kinds& kinds, int tiers) const {
  // NVLink is for gangs: a single rank leaves it to them.
  std::tuple<int, bool, int, std::string> best;
  bool found = false;
  for (int tier = 0; tier < tiers; ++tier) {
    for (int kind = 0; kind < kKinds; ++kind) {
      const auto& free = groups_[tier][kind].free;
      if (!kinds[kind] || free.empty() || -free.begin()->first < num_ranks) continue;
      const auto beyond = free.lower_bound({-num_ranks + 1, ""});  // the first with too few
      const int slots = -std::prev(beyond)->first;
      const bool wrong_link = ((kind & kNvlink) != 0) != (num_ranks > 1);
      const std::tuple<int, bool, int, std::string> candidate(tier, wrong_link, slots,
                                                              free.lower_bound({-slots, ""})->second);
      if (!found || candidate < best) best = candidate;
      found = true;
    }
  }
  return found ? std::vector<std::string>(num_ranks, std::get<3>(best)) : std::vector<std::string>();
}

std::vector<std::string> SlotIndex::Fill(int num_ranks, const Kinds& kinds, int tiers) const {
  std::vector<std::string> placement = FillWhole(num_ranks, kinds, tiers);
  if (!placement.empty()) return placement;
  int free_slots = 0;
  for (int tier = 0; tier < tiers; ++tier) {
    for (int kind = 0; kind < kKinds; ++kind) free_slots += kinds[kind] ? groups_[tier][kind].free_slots : 0;
  }
  if (free_slots < num_ranks) return {};
  for (int tier = 0; tier < tiers; ++tier) {
    std::vector<absl::btree_set<std::pair<int, std::string>>::const_iterator> next(kKinds);
    for (int kind = 0; kind < kKinds; ++kind) next[kind] = groups_[tier][kind].free.begin();
    while (static_cast<int>(placement.size()) < num_ranks) {
      int emptiest = -1;
      for (int kind = 0; kind < kKinds; ++kind) {
        if (!kinds[kind] || next[kind] == groups_[tier][kind].free.end()) continue;
        if (emptiest < 0 || *next[kind] < *next[emptiest]) emptiest = kind;
      }
      if (emptiest < 0) break;
      const auto& [minus_free, id] = *next[emptiest]++;
      placement.insert(placement.end(), std::min(-minus_free, num_ranks - static_cast<int>(placement.size())), id);
    }
  }
  return placement;
}

std::vector<std::string> SlotIndex::Place(const ResourceSpec& resources, Tier last) const {
  const int num_ranks = resources.num_ranks();
  std::vector<Kinds> in_turn;
  if (resources.device() != DEVICE_CPU) in_turn.push_back(KindsThat(resources, true, false));
  if (resources.device() != DEVICE_CUDA) in_turn.push_back(KindsThat(resources, false, true));
  if (resources.device() == DEVICE_CPU) in_turn.push_back(KindsThat(resources, true, true));
  for (const Kinds& kinds : in_turn) {
    for (int tiers = 1; tiers <= static_cast<int>(last) + 1; ++tiers) {
      std::vector<std::string> placement = Fill(num_ranks, kinds, tiers);
      if (!placement.empty()) return placement;
    }
  }
  return {};
}

int SlotIndex::Capacity(const ResourceSpec& resources, Tier last) const {
  const int tiers = static_cast<int>(last) + 1;
  if (resources.device() == DEVICE_CPU) return Total(KindsThat(resources, true, true), tiers);
  const int cuda = Total(KindsThat(resources, true, false), tiers);
  if (resources.device() == DEVICE_CUDA) return cuda;
  return std::max(cuda, Total(KindsThat(resources, false, true), tiers));
}

bool Suits(const ResourceSpec& resources, const SlotOffer& offer) {
  if (resources.device() == DEVICE_CUDA && !offer.has_cuda) return false;
  if (resources.precision() != PRECISION_BF16) return true;
  // What a CUDA worker says of bfloat16 is said of its GPUs.
  return offer.has_bfloat16 && (resources.device() != DEVICE_CPU || !offer.has_cuda);
}

std::string WorkersWanted(const ResourceSpec& resources) {
  return absl::StrCat(resources.device() == DEVICE_CUDA ? "CUDA workers" : "workers",
                      resources.precision() == PRECISION_BF16 ? " with bfloat16" : "");
}

}  // namespace mimeo
