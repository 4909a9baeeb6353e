// A data set that waits when a sample cannot be read now, where other data sets return Unavailable. So an outage of a
// file server costs a job time and no restart. Everything else it passes on to the data set inside. Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "data/dataset.h"
#include "data/patience.h"

namespace mimeo {

class PatientDataset final : public Dataset {
 public:
  // `what` says which data they are, "data" or "evaluation", and begins the words that `patience` is told.
  PatientDataset(std::unique_ptr<const Dataset> dataset, std::string what, Patience patience)
      : dataset_(std::move(dataset)), what_(std::move(what)), patience_(std::move(patience)) {}

  // Blocks and tries again for as long as the data set inside returns Unavailable. When several threads wait,
  // `patience` is told of one of them. Cancelled: a stop was wanted meanwhile. All other errors are those of the data
  // set inside.
  absl::StatusOr<std::string> Read(int64_t sample) const override ABSL_LOCKS_EXCLUDED(mu_);

  int64_t size() const override { return dataset_->size(); }
  const std::string& name(int64_t sample) const override { return dataset_->name(sample); }
  int label(int64_t sample) const override { return dataset_->label(sample); }
  const std::vector<std::string>& class_names() const override { return dataset_->class_names(); }
  const std::string& digest() const override { return dataset_->digest(); }

 private:
  // One thread at a time tells `patience` what it waits for. Makes the caller that thread if there is none, and then
  // sets `*teller`; an empty `reason` says that its wait is over.
  void Tell(const std::string& reason, bool* teller) const ABSL_LOCKS_EXCLUDED(mu_);

  const std::unique_ptr<const Dataset> dataset_;
  const std::string what_;
  const Patience patience_;
  mutable absl::Mutex mu_;
  mutable std::string told_ ABSL_GUARDED_BY(mu_);  // what `patience` was told; empty: nothing is waited for
};

}  // namespace mimeo
