#include "client/plan/fit.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/number_text.h"
#include "job/job_shape.h"
#include "job/job_spec.h"

namespace mimeo {
namespace {

constexpr int64_t kTooMuch = std::numeric_limits<int64_t>::max();
constexpr int64_t kFewestContrasted = 2;  // as job/checks.cc has it

// What the flags of a proposal change of a job.
struct Variation {
  int ranks = 1;
  int64_t global_batch = 0;
  int64_t micro_batch = 0;
  bool float32 = false;
  bool any_device = false;
  bool recomputes = false;
  bool checkpoint_at_end = false;
};

class Search {
 public:
  Search(const JobSpec& spec, const Place& place, int64_t images, double scale)
      : spec_(spec), place_(place), images_(images), scale_(std::max(1.0, scale)), mixes_(MixesSamples(spec)) {
    given_.ranks = spec.resources().num_ranks();
    given_.global_batch = spec.data().global_batch();
    given_.micro_batch = MicroBatch(spec, given_.ranks);
    given_.recomputes = spec.resources().activation_checkpointing();
    given_.checkpoint_at_end = spec.checkpoint().every_steps() == 0;
    room_ =
        place.memory_bytes == 0 ? kTooMuch : place.memory_bytes - (SharesMemory(place) ? place.memory_bytes / 20 : 0);
  }

  Remedies Find() {
    // What mends everything but the memory.
    const Variation needed = Needed();
    if (Fits(needed)) {
      Add(needed);
      return std::move(remedies_);
    }
    AddSameRanks(needed);
    if (SharesMemory(place_)) AddFewerRanks(needed);
    AddLastResorts(needed);
    if (remedies_.proposals.empty()) remedies_.none = NothingFits(needed);
    return std::move(remedies_);
  }

  std::string FlagsFor(int ranks) const {
    Variation variation = WithRanks(given_, ranks);
    return Fits(variation) || Shrink(&variation) ? Flags(variation) : "";
  }

 private:
  absl::StatusOr<JobSpec> Varied(const Variation& variation, bool states_micro_batch) const {
    JobSpec varied = spec_;
    ResourceSpec* const resources = varied.mutable_resources();
    resources->set_num_ranks(variation.ranks);
    resources->set_micro_batch(variation.micro_batch);
    if (!states_micro_batch) resources->clear_micro_batch();
    if (variation.float32) resources->set_precision(PRECISION_FP32);
    if (variation.any_device) resources->set_device(DEVICE_AUTO);
    if (variation.recomputes) resources->set_activation_checkpointing(true);
    varied.mutable_data()->set_global_batch(variation.global_batch);
    if (mixes_) varied.mutable_data()->set_contrast_group(variation.micro_batch * variation.ranks);
    if (variation.checkpoint_at_end) varied.mutable_checkpoint()->set_every_steps(0);
    return ResolveJobSpec(varied);
  }

  // kTooMuch: there is no such job.
  int64_t Bytes(const Variation& variation, bool states_micro_batch = true) const {
    const absl::StatusOr<JobSpec> varied = Varied(variation, states_micro_batch);
    if (variation.micro_batch == 0 || !varied.ok()) return kTooMuch;
    RankMemory memory = EstimateRankMemory(*varied, variation.ranks, place_.device, /*total_steps=*/0, {});
    memory.activations = static_cast<int64_t>(scale_ * static_cast<double>(memory.activations));
    return AllRanksBytes(place_, variation.ranks, memory, memory.steps());
  }

  bool Fits(const Variation& variation) const {
    if (images_ > 0 && variation.global_batch > images_) return false;
    const int64_t bytes = Bytes(variation);
    return bytes != kTooMuch && bytes <= room_;
  }

  // What one backward pass of a rank may have, the most first.
  std::vector<int64_t> MicroBatches(const Variation& variation) const {
    std::vector<int64_t> divisors;
    const int64_t share = variation.global_batch / variation.ranks;
    for (int64_t micro_batch = share; micro_batch > 0; --micro_batch) {
      const bool too_few = mixes_ && micro_batch * variation.ranks < kFewestContrasted;
      if (share % micro_batch == 0 && !too_few) divisors.push_back(micro_batch);
    }
    return divisors;
  }

  // The same for so many ranks, or for the next smaller number that can share the batches, and without a larger
  // micro-batch. Of samples that are contrasted as many stay together, where they can be shared out.
  Variation WithRanks(Variation variation, int ranks) const {
    const int64_t together = mixes_ ? variation.micro_batch * variation.ranks : 0;
    while (ranks > 1 && variation.global_batch % ranks != 0) --ranks;
    const int64_t most = mixes_ ? together / ranks : given_.micro_batch;
    variation.ranks = ranks;
    for (const int64_t micro_batch : MicroBatches(variation)) {
      variation.micro_batch = micro_batch;
      if (micro_batch <= most) break;
    }
    return variation;
  }

  // Takes the largest smaller micro-batch that fits; false: none does.
  bool Shrink(Variation* variation) const {
    std::vector<Variation> smaller;
    for (const int64_t micro_batch : MicroBatches(*variation)) {
      if (micro_batch >= variation->micro_batch) continue;
      smaller.push_back(*variation);
      smaller.back().micro_batch = micro_batch;
    }
    if (smaller.empty() || !Fits(smaller.back())) return false;
    *variation = *std::partition_point(smaller.begin(), smaller.end(), [this](const Variation& v) { return !Fits(v); });
    return true;
  }

  Variation Needed() const {
    Variation variation = given_;
    variation.float32 = spec_.resources().precision() == PRECISION_BF16 && !place_.bfloat16;
    variation.any_device = spec_.resources().device() == DEVICE_CUDA && SharesMemory(place_);
    int ranks = given_.ranks;
    if (place_.most_ranks() > 0) ranks = std::min(ranks, place_.most_ranks());
    if (images_ > 0 && images_ < given_.global_batch) {
      ranks = static_cast<int>(std::min<int64_t>(ranks, images_));
      variation.global_batch = ranks * std::max<int64_t>(1, images_ / 4 / ranks);
    }
    return WithRanks(variation, ranks);
  }

  void AddSameRanks(const Variation& needed) {
    Variation smaller = needed, recomputing = needed;
    if (Shrink(&smaller)) Add(smaller);
    recomputing.recomputes = true;
    if (Fits(recomputing) || (remedies_.proposals.empty() && Shrink(&recomputing))) Add(recomputing);
  }

  // As many as there are cores with smaller micro-batches, or as many as fit as they are.
  void AddFewerRanks(const Variation& needed) {
    if (needed.ranks == 1) return;
    Variation on_cores = WithRanks(needed, std::min(needed.ranks - 1, place_.cores));
    if (!Fits(on_cores) && Shrink(&on_cores)) Add(on_cores);
    for (int ranks = needed.ranks - 1; ranks > 0; --ranks) {
      const Variation fewer = WithRanks(needed, ranks);
      if (!Fits(fewer)) continue;
      Add(fewer);
      return;
    }
  }

  // What costs most, where nothing else does.
  void AddLastResorts(const Variation& needed) {
    for (const bool at_end : {false, true}) {
      for (const bool recomputes : {false, true}) {
        for (int ranks = needed.ranks; ranks > 0; --ranks) {
          if (!remedies_.proposals.empty()) return;
          Variation variation = WithRanks(needed, ranks);
          variation.recomputes |= recomputes;
          variation.checkpoint_at_end |= at_end;
          if (Fits(variation) || Shrink(&variation)) Add(variation);
          if (!SharesMemory(place_)) break;
        }
      }
    }
  }

  std::string NothingFits(const Variation& needed) const {
    Variation least = WithRanks(needed, SharesMemory(place_) ? 1 : needed.ranks);
    least.recomputes = least.checkpoint_at_end = true;
    const std::vector<int64_t> micro_batches = MicroBatches(least);
    if (!micro_batches.empty()) least.micro_batch = micro_batches.back();
    const int64_t bytes = Bytes(least);
    if (bytes == kTooMuch || place_.memory_bytes == 0) return "";
    const std::string flags = Flags(least);
    return absl::StrCat("nothing would make it fit into the ", BytesText(room_),
                        " that it may take here: the least that it needs is ", BytesText(bytes),
                        flags.empty() ? "" : ", with ", flags);
  }

  // Whether a recipe that names no micro-batch, of which the ranks then take their whole share, fits as well.
  bool FitsUnstated(const Variation& variation) const {
    const int64_t bytes = Bytes(variation, /*states_micro_batch=*/false);
    return bytes != kTooMuch && bytes <= room_;
  }

  std::string Flags(const Variation& variation) const {
    const bool reshaped = variation.ranks != given_.ranks || variation.global_batch != given_.global_batch;
    std::vector<std::string> flags, costs;
    if (variation.ranks != given_.ranks) flags.push_back(absl::StrCat("--workers ", variation.ranks));
    if (variation.global_batch != given_.global_batch) {
      flags.push_back(absl::StrCat("--set data.global_batch=", variation.global_batch));
    }
    if (variation.float32) flags.emplace_back("--set resources.precision=PRECISION_FP32");
    if (variation.any_device) flags.emplace_back("--set resources.device=DEVICE_AUTO");
    const int64_t group = variation.micro_batch * variation.ranks;
    if (mixes_ && group != spec_.data().contrast_group()) {
      flags.push_back(absl::StrCat("--set data.contrast_group=", group));
      costs.emplace_back("fewer images are compared with each other");
    }
    if (variation.micro_batch != given_.micro_batch || (reshaped && !FitsUnstated(variation))) {
      flags.push_back(absl::StrCat("--set resources.micro_batch=", variation.micro_batch));
    }
    if (variation.recomputes && !given_.recomputes) {
      flags.emplace_back("--set resources.activation_checkpointing=true");
      costs.emplace_back("a third more arithmetic");
    }
    if (variation.checkpoint_at_end && !given_.checkpoint_at_end) {
      flags.emplace_back("--set checkpoint.every_steps=0");
      costs.emplace_back("no checkpoint before the end");
    }
    return absl::StrCat(absl::StrJoin(flags, " "), costs.empty() ? "" : " (", absl::StrJoin(costs, "; "),
                        costs.empty() ? "" : ")");
  }

  void Add(const Variation& variation) {
    const std::string flags = Flags(variation);
    std::vector<std::string>& known = remedies_.proposals;
    if (!flags.empty() && std::find(known.begin(), known.end(), flags) == known.end()) known.push_back(flags);
  }

  const JobSpec& spec_;
  const Place& place_;
  const int64_t images_;
  const double scale_;
  const bool mixes_;
  Variation given_;
  int64_t room_ = 0;
  Remedies remedies_;
};

}  // namespace

bool SharesMemory(const Place& place) { return place.device != DEVICE_CUDA && place.cores > 0; }

int64_t AllRanksBytes(const Place& place, int ranks, const RankMemory& memory, int64_t steps_bytes) {
  if (!SharesMemory(place)) return memory.Peak(steps_bytes);
  return memory.Peak(steps_bytes) + (ranks - 1) * steps_bytes;
}

Remedies WhatWouldFit(const JobSpec& spec, const Place& place, int64_t images, double scale) {
  return Search(spec, place, images, scale).Find();
}

std::string FlagsForRanks(const JobSpec& spec, const Place& place, int64_t images, int ranks) {
  return Search(spec, place, images, /*scale=*/1).FlagsFor(ranks);
}

}  // namespace mimeo
