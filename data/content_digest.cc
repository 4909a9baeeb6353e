#include "data/content_digest.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/digest.h"

namespace mimeo {
namespace {

using Digests = std::vector<std::optional<absl::uint128>>;

constexpr int kReaders = 8;  // threads: they wait for the disk more than they compute
constexpr int64_t kSamplesPerWord = 1000;
constexpr double kShareLeast = 1e-6;  // a smaller one is of no use: it holds out one of a million images

// A share is of 2^64 numbers.
double Place(absl::uint128 digest) { return std::ldexp(static_cast<double>(absl::Uint128High64(digest)), -64); }

// `share` as a person reads it in a message and gives it again.
double AsWritten(double share) {
  double read = 0;
  return absl::SimpleAtod(absl::StrCat(share), &read) ? read : share;
}

// The readers take one sample after the other until all are taken, or one of them fails.
class Reading {
 public:
  Reading(const StoredDataset& dataset, Progress* progress)
      : dataset_(dataset), progress_(progress), digests_(dataset.size()) {}

  absl::StatusOr<Digests> Go() ABSL_LOCKS_EXCLUDED(mu_) {
    std::vector<std::thread> readers;
    readers.reserve(kReaders);
    for (int i = 0; i < kReaders; ++i) readers.emplace_back([this] { Read(); });
    for (std::thread& reader : readers) reader.join();
    absl::MutexLock lock(&mu_);
    if (!error_.ok()) return error_;
    return std::move(digests_);
  }

 private:
  void Read() ABSL_LOCKS_EXCLUDED(mu_) {
    while (true) {
      const int64_t sample = next_.fetch_add(1);
      if (sample >= dataset_.size()) return;
      if (progress_ != nullptr) Tell(sample);
      const absl::StatusOr<std::string> ends = dataset_.ReadEnds(sample, kDigestedEndBytes);
      if (ends.ok()) {
        digests_[sample] = ContentDigest(dataset_.bytes(sample), *ends);
      } else if (!absl::IsDataLoss(ends.status())) {
        absl::MutexLock lock(&mu_);
        error_.Update(ends.status());
        next_ = dataset_.size();
      }
    }
  }

  void Tell(int64_t sample) const {
    progress_->Move();
    if (sample % kSamplesPerWord != 0) return;
    progress_->Do(absl::StrCat("digests images (", sample, " of ", dataset_.size(), " so far)"));
  }

  const StoredDataset& dataset_;
  Progress* const progress_;
  Digests digests_;  // each element is one reader's
  std::atomic<int64_t> next_{0};
  absl::Mutex mu_;
  absl::Status error_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

absl::uint128 ContentDigest(int64_t size, absl::string_view ends) {
  std::string digested;
  for (int byte = 0; byte < 8; ++byte) digested.push_back(static_cast<char>(size >> (8 * byte) & 0xFF));
  absl::StrAppend(&digested, ends);
  const std::string digest = Sha256(digested);
  absl::uint128 number = 0;
  for (int i = 0; i < 16; ++i) number = number << 8 | static_cast<unsigned char>(digest[i]);
  return number;
}

absl::StatusOr<Digests> ContentDigests(const StoredDataset& dataset, Progress* progress) {
  return Reading(dataset, progress).Go();
}

bool IsHeldOut(absl::uint128 digest, double share) { return Place(digest) < share; }

double LeastShare(absl::uint128 digest) {
  const double place = Place(digest);
  const double unit = std::pow(10, std::floor(std::log10(std::max(place, kShareLeast))) - 1);
  // Of the decimal text, which a person copies, and which is read as the nearest double.
  for (double digits = std::floor(place / unit);; ++digits) {
    const double share = AsWritten(digits * unit);
    if (IsHeldOut(digest, share)) return share;
  }
}

}  // namespace mimeo
