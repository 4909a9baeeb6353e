// A data set that waits where another would say that a sample cannot be read now. Thread-safe.
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
  // `what`: for the reasons that `patience` is told: "data", "evaluation".
  PatientDataset(std::unique_ptr<const Dataset> dataset, std::string what, Patience patience)
      : dataset_(std::move(dataset)), what_(std::move(what)), patience_(std::move(patience)) {}

  // Tries again for as long as the answer is Unavailable. Of several threads that wait the reason of one is told.
  // Cancelled: a stop was wanted meanwhile.
  absl::StatusOr<std::string> Read(int64_t sample) const override ABSL_LOCKS_EXCLUDED(mu_);

  int64_t size() const override { return dataset_->size(); }
  const std::string& name(int64_t sample) const override { return dataset_->name(sample); }
  int label(int64_t sample) const override { return dataset_->label(sample); }
  const std::vector<std::string>& class_names() const override { return dataset_->class_names(); }
  const std::string& digest() const override { return dataset_->digest(); }

 private:
  // Makes `reason` the one that is told, if `*teller` or nobody tells one; then *teller.
  void Tell(const std::string& reason, bool* teller) const ABSL_LOCKS_EXCLUDED(mu_);

  const std::unique_ptr<const Dataset> dataset_;
  const std::string what_;
  const Patience patience_;
  mutable absl::Mutex mu_;
  mutable std::string told_ ABSL_GUARDED_BY(mu_);  // empty: nobody waits, or nobody of those who do has told yet
};

}  // namespace mimeo
