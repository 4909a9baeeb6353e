// A data set that counts how often each sample is read, which is how often it is decoded. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "data/dataset.h"

namespace mimeo::testing {

class CountedDataset final : public Dataset {
 public:
  explicit CountedDataset(std::unique_ptr<const Dataset> dataset) : dataset_(std::move(dataset)) {}

  absl::StatusOr<std::string> Read(int64_t sample) const override ABSL_LOCKS_EXCLUDED(mu_) {
    {
      absl::MutexLock lock(&mu_);
      ++reads_[sample];
    }
    return dataset_->Read(sample);
  }
  // By sample; those that were not read are not there.
  std::map<int64_t, int> reads() const ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    return reads_;
  }

  int64_t size() const override { return dataset_->size(); }
  const std::string& name(int64_t sample) const override { return dataset_->name(sample); }
  int label(int64_t sample) const override { return dataset_->label(sample); }
  const std::vector<std::string>& class_names() const override { return dataset_->class_names(); }
  const std::string& digest() const override { return dataset_->digest(); }
  const DataContents& contents() const override { return dataset_->contents(); }

 private:
  const std::unique_ptr<const Dataset> dataset_;
  mutable absl::Mutex mu_;
  mutable std::map<int64_t, int> reads_ ABSL_GUARDED_BY(mu_);
};

}  // namespace mimeo::testing
