// Which slots a gang gets. It gets all of its ranks at one time or none. Nothing here decides when or whether a job
// runs; the scheduler does that. Pure values; the index is thread-compatible.
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

// How willingly a worker is given something new, the best first. A gang takes workers of a later tier only when those
// of the earlier ones have no room for it. coordinator/blame.h says what blame is.
enum class Tier {
  kClean,    // nothing failed there lately
  kBlamed,   // something failed there lately
  kResting,  // something failed there just now: it is taken only when other workers would never do
  kAway,     // its lease has not expired, but it is given nothing now: it is quiet, or rests after several jobs failed
};
constexpr int kTiers = 4;

// What one worker can give now.
struct SlotOffer {
  std::string worker_id;
  int total = 0;  // slots
  int free = 0;   // those of them that no gang holds
  bool has_cuda = false;
  bool has_bfloat16 = false;  // each of its devices has it
  bool has_nvlink = false;    // some of its devices are linked
  Tier tier = Tier::kClean;
};
bool operator==(const SlotOffer& a, const SlotOffer& b);

// The slots of many workers, kept in the orders in which gangs take them. So the time that a question takes does not
// grow with the number of workers.
class SlotIndex {
 public:
  // Replaces what the worker offered before.
  void Set(const SlotOffer& offer);
  // Does nothing when the worker offers nothing.
  void Remove(const std::string& worker_id);
  // Null when the worker offers nothing. Valid until the next change.
  const SlotOffer* Find(const std::string& worker_id) const;
  const std::map<std::string, SlotOffer>& offers() const { return offers_; }

  // The worker of each rank. Empty when the gang does not fit into what is free in the tiers up to `last`. Nothing is
  // taken: the caller commits the placement, and Set follows.
  //
  // First, all ranks of a gang compute on one kind of device. A CUDA job takes workers with CUDA. An auto job takes
  // them if all of its ranks fit there, else workers without CUDA. A CPU job takes workers without CUDA if it fits
  // there, else any. A bfloat16 job takes only workers with bfloat16. Second, within a kind the gang takes as few tiers
  // as possible. Third, it takes as few workers as possible: one that holds the whole gang, and of several the one with
  // the fewest free slots, with NVLink if the gang has several ranks and without if it has one. Where no worker holds
  // the whole gang, it takes the ones with the most free slots first. Between equals the smaller id wins.
  std::vector<std::string> Place(const ResourceSpec& resources, Tier last) const;

  // The largest gang with such resources that could run on the workers of the tiers up to `last` if nothing else ran
  // there. `resources.num_ranks` is not looked at.
  int Capacity(const ResourceSpec& resources, Tier last) const;

  // While such an object lives, these workers are not in the index. Objects of these two classes end in the reverse
  // order of their making, and nothing else changes the index meanwhile.
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

  // While such an object lives, these workers have so many more free slots, or fewer where the number is negative.
  // Workers that are not in the index are passed over.
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

// Whether a rank of a gang with such resources could ever run on this worker.
bool Suits(const ResourceSpec& resources, const SlotOffer& offer);

// The workers that such a gang needs, in words: "workers", "CUDA workers", "CUDA workers with bfloat16".
std::string WorkersWanted(const ResourceSpec& resources);

}  // namespace mimeo
