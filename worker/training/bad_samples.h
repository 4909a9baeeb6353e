// The samples of a job that cannot be decoded: those of all its ranks and, by the checkpoint, of all its generations.
// One thread.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "data/dataset.h"
#include "proto/data.pb.h"
#include "proto/job.pb.h"
#include "worker/training/gang.h"

namespace mimeo {

// Each rank has one, and all of them hold the same set before each step.
class BadSamples {
 public:
  // `known` are those of the checkpoint. `dataset` outlives this.
  BadSamples(const Dataset* dataset, const DataSpec& data, std::set<int64_t> known);

  // Those of `met` that are not known yet, ascending.
  std::vector<int64_t> NewAmong(const std::vector<int64_t>& met) const;
  // A collective: every rank calls it with the new ones that it met, or none, and afterwards every rank knows those of
  // all. Aborted: a member of the gang is gone.
  absl::Status Share(const std::vector<int64_t>& own, Gang* gang);
  const std::set<int64_t>& all() const { return all_; }

  // How many there are, with the names and reasons of the first three by number, which are read again once for that.
  // Not to be called while there are none.
  PassedOver Row();

  // InvalidArgument, because no other host would read them better: there are more than data.max_bad_samples, or not
  // `enough_good`, which means that some row of the batch has no sample. The message names the first ten by number,
  // with the reasons. It is the same on every rank, because each rank reads them again; so this may take a while.
  absl::Status Check(bool enough_good) const;

 private:
  const Dataset* const dataset_;
  const DataSpec data_;
  std::set<int64_t> all_;
  std::map<int64_t, std::string> named_;  // by sample: its name and why it is bad
};

}  // namespace mimeo
