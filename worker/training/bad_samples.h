// The samples of a job that cannot be decoded: those of all its ranks and, by the checkpoint, of all its generations.
// One thread.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "data/dataset.h"
#include "proto/job.pb.h"
#include "worker/training/gang.h"

namespace mimeo {

class BadSamples {
 public:
  // `known`: by the checkpoint. `dataset` outlives this.
  BadSamples(const Dataset* dataset, const DataSpec& data, std::set<int64_t> known);

  // Those of `met` that are not known yet.
  std::vector<int64_t> NewAmong(const std::vector<int64_t>& met) const;
  // Every rank calls it, with the new ones that it met, or none; afterwards every rank knows those of all.
  absl::Status Share(const std::vector<int64_t>& own, Gang* gang);
  const std::set<int64_t>& all() const { return all_; }

  // InvalidArgument, for no other host would read them better: more than data.max_bad_samples, or not `enough_good`:
  // some row of the batch has no sample. Names the first ten, in the order of the names, with the reasons; the same on
  // every rank, because each rank reads them again.
  absl::Status Check(bool enough_good) const;

 private:
  const Dataset* const dataset_;
  const DataSpec data_;
  std::set<int64_t> all_;
};

}  // namespace mimeo
