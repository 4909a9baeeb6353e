// A data set that waits where another one would answer that a sample cannot be read now. A training then stands still
// while a file server is away, and goes on when it is back, in place of failing. Any thread may call it.
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
  // `what` names the data set in the reasons that `patience` is told: "data" or "evaluation".
  PatientDataset(std::unique_ptr<const Dataset> dataset, std::string what, Patience patience)
      : dataset_(std::move(dataset)), what_(std::move(what)), patience_(std::move(patience)) {}

  // Tries again for as long as the answer is Unavailable, and so blocks without a limit. Of several threads that wait,
  // only one tells its reason. Cancelled: patience.stop_wanted said so. DataLoss is passed on, because waiting does not
  // mend a bad sample.
  absl::StatusOr<std::string> Read(int64_t sample) const override ABSL_LOCKS_EXCLUDED(mu_);

  int64_t size() const override { return dataset_->size(); }
  const std::string& name(int64_t sample) const override { return dataset_->name(sample); }
  int label(int64_t sample) const override { return dataset_->label(sample); }
  const std::vector<std::string>& class_names() const override { return dataset_->class_names(); }
  const std::string& digest() const override { return dataset_->digest(); }
  const DataContents& contents() const override { return dataset_->contents(); }

 private:
  // Tells `reason` unless another thread tells one now. *teller says whether this thread is the one that tells; an
  // empty reason means that its waiting is over.
  void Tell(const std::string& reason, bool* teller) const ABSL_LOCKS_EXCLUDED(mu_);

  const std::unique_ptr<const Dataset> dataset_;
  const std::string what_;
  const Patience patience_;
  mutable absl::Mutex mu_;
  // Empty: nobody waits, or none of those that wait has told a reason yet.
  mutable std::string told_ ABSL_GUARDED_BY(mu_);
};

}  // namespace mimeo
