// Which slots a gang takes: all ranks or none. Pure values; the index is thread-compatible.
#pragma once

#include <array>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "proto/job.pb.h"

namespace mimeo {

// How readily a worker is given something new, the readiest first. A gang takes workers of a later tier only where
// those of the earlier ones do not hold it.
enum class Tier {
  kClean,    // nothing failed there lately
  kBlamed,   // something did
  kResting,  // it did just now: only where nothing else would ever do
  kAway,     // alive, as far as is known, but given nothing at present
};
constexpr int kTiers = 4;

// What one worker could give now.
struct SlotOffer {
  std::string worker_id;
  int total = 0;
  int free = 0;
  bool has_cuda = false;
  bool has_bfloat16 = false;  // all of its devices
  bool has_nvlink = false;    // between its devices
  Tier tier = Tier::kClean;
};
bool operator==(const SlotOffer& a, const SlotOffer& b);

// The slots of many workers, in the orders in which gangs take them: what a question costs does not grow with their
// number.
class SlotIndex {
 public:
  void Set(const SlotOffer& offer);  // replaces what the worker offered before
  void Remove(const std::string& worker_id);
  const SlotOffer* Find(const std::string& worker_id) const;  // null: it offers nothing
  const std::map<std::string, SlotOffer>& offers() const { return offers_; }

  // The worker of each rank, or empty when the gang does not fit into what is free in the tiers up to `last`.
  //
  // A gang is of one kind: a CUDA job takes workers with CUDA; an auto job takes them if all its ranks fit there, else
  // workers without; a CPU job takes workers without CUDA if it fits there, else any. A bfloat16 job takes workers with
  // bfloat16 only. Within a kind, the first tiers that hold it. Within those, as few workers as possible: the fullest
  // one that holds it whole, with NVLink if one does and the gang has several ranks, and without if it has one; else
  // the emptiest ones first. Ties go to the smaller id.
  std::vector<std::string> Place(const ResourceSpec& resources, Tier last) const;

  // The most ranks that a gang with such resources (num_ranks apart) could have if nothing else ran on the workers up
  // to `last`.
  int Capacity(const ResourceSpec& resources, Tier last) const;

  // While it lives, these workers are not in the index.
  class Without {
   public:
    Without(SlotIndex* index, const std::set<std::string>& workers);
    ~Without();
    Without(const Without&) = delete;
    Without& operator=(const Without&) = delete;

   private:
    SlotIndex* const index_;
    std::vector<SlotOffer> removed_;
  };

  // While it lives, these workers have so many more free slots (or fewer: below 0), those that are in the index.
  class Lent {
   public:
    Lent(SlotIndex* index, const std::map<std::string, int>& slots);
    ~Lent();
    Lent(const Lent&) = delete;
    Lent& operator=(const Lent&) = delete;

   private:
    SlotIndex* const index_;
    std::vector<SlotOffer> before_;
  };

 private:
  // Workers that no job tells apart.
  struct Group {
    absl::btree_set<std::pair<int, std::string>>
        free;  // (-free slots, id) of those with free slots: the emptiest first
    int total_slots = 0;
    int free_slots = 0;
  };
  static constexpr int kKinds = 8;  // of devices: bits of KindOf
  using Kinds = std::array<bool, kKinds>;

  static int KindOf(const SlotOffer& offer);
  static Kinds KindsThat(const ResourceSpec& resources, bool cuda, bool no_cuda);
  std::vector<std::string> Fill(int num_ranks, const Kinds& kinds, int tiers) const;
  std::vector<std::string> FillWhole(int num_ranks, const Kinds& kinds, int tiers) const;
  int Total(const Kinds& kinds, int tiers) const;

  std::map<std::string, SlotOffer> offers_;
  std::array<std::array<Group, kKinds>, kTiers> groups_;
};

// Could any rank of the gang ever run there?
bool Suits(const ResourceSpec& resources, const SlotOffer& offer);

// "workers", "CUDA workers", "CUDA workers with bfloat16".
std::string WorkersWanted(const ResourceSpec& resources);

}  // namespace mimeo
