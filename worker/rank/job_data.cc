#include "worker/rank/job_data.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "data/divided_dataset.h"
#include "data/patient_dataset.h"
#include "data/sample_name.h"
#include "data/stored_dataset.h"

namespace mimeo {
namespace {

constexpr char kHoldOut[] = "evaluation.hold_out";

class Opening {
 public:
  Opening(const JobData& data, const Patience& patience, Progress* progress)
      : data_(data), patience_(patience), progress_(progress), what_(absl::StripSuffix(data.field, ".path")) {}
  ~Opening() { Tell(""); }

  absl::StatusOr<OpenedJobData> Go() {
    while (true) {
      absl::StatusOr<OpenedJobData> opened = Open();
      if (opened.ok() && (data_.digest.empty() || opened->dataset->digest() == data_.digest)) {
        return OpenedJobData{Patient(std::move(opened->dataset), what_),
                             Patient(std::move(opened->held_out), kEvaluation),
                             Patient(std::move(opened->bank), kEvaluation)};
      }
      if (!data_.read_before) {
        return absl::Status(opened.status().code(), absl::StrCat(blamed_, ": ", opened.status().message()));
      }
      RETURN_IF_ERROR(Await(opened));
    }
  }

 private:
  static constexpr char kEvaluation[] = "evaluation";

  // Blamed for an error of it is the field that is to be changed.
  absl::StatusOr<OpenedJobData> Open() {
    blamed_ = data_.field;
    OpenedJobData opened;
    ASSIGN_OR_RETURN(auto whole, StoredDataset::Open(data_.path, progress_, data_.members));
    if (data_.hold_out == 0) {
      opened.dataset = std::move(whole);
      return opened;
    }
    const int64_t all = whole->size();
    const auto divided = DividedDataset::Divide(std::move(whole), data_.hold_out, progress_);
    if (absl::IsInvalidArgument(divided.status())) blamed_ = kHoldOut;
    RETURN_IF_ERROR(divided.status());
    opened = {divided->Training(), divided->HeldOut(), divided->Training()};
    if (opened.dataset->size() >= data_.global_batch) return opened;
    blamed_ = kHoldOut;
    return absl::InvalidArgumentError(
        absl::StrCat("a share of ", data_.hold_out, " leaves ", opened.dataset->size(), " of the ", all, " images of ",
                     ShortName(data_.path), " to train on, fewer than one data.global_batch of ", data_.global_batch));
  }

  std::unique_ptr<Dataset> Patient(std::unique_ptr<Dataset> dataset, const std::string& what) const {
    if (dataset == nullptr) return nullptr;
    return std::make_unique<PatientDataset>(std::move(dataset), what, patience_);
  }

  // Returns when it is worth to look again.
  absl::Status Await(const absl::StatusOr<OpenedJobData>& opened) {
    const bool something = opened.ok() || absl::IsInvalidArgument(opened.status());
    const std::string found = opened.ok() ? opened->dataset->digest() : std::string(opened.status().message());
    const absl::Time now = Clock::Real()->Now();
    if (!something || found != found_) found_since_ = now;
    found_ = found;
    const std::string changed = something ? Changed(opened) : "";
    if (something && now - found_since_ >= data_.believed) {
      return absl::FailedPreconditionError(absl::StrCat(
          data_.field, ": ", changed, ". Restore the images and `mimeo resume` the job, or submit a new one"));
    }
    Tell(something ? absl::StrCat(what_, " ", changed, "; whether it stays so") : absl::StrCat(what_, " ", found));
    return patience_.Pause(told_);
  }

  std::string Changed(const absl::StatusOr<OpenedJobData>& opened) const {
    const std::string before = data_.num_samples == 0 ? "" : absl::StrCat(data_.num_samples, " images, ");
    const std::string is =
        opened.ok() ? absl::StrCat("it has ", opened->dataset->size(), " images, digest ", opened->dataset->digest())
                    : std::string(opened.status().message());
    return absl::StrCat(ShortName(data_.path), " has changed since this job began: it had ", before, "digest ",
                        data_.digest, "; now ", is);
  }

  void Tell(const std::string& reason) {
    if (reason == told_) return;
    if (!told_.empty()) patience_.on_waiting(told_, false);
    told_ = reason;
    if (reason.empty()) return;
    patience_.on_waiting(reason, true);
    spdlog::warn("waiting for {}", reason);
  }

  const JobData data_;
  const Patience patience_;
  Progress* const progress_;
  const std::string what_;
  std::string blamed_;
  std::string found_;  // the digest or the error of the last look
  absl::Time found_since_ = absl::InfinitePast();
  std::string told_;  // what is waited for; empty: nothing
};

}  // namespace

absl::StatusOr<OpenedJobData> OpenJobData(const JobData& data, const Patience& patience, Progress* progress) {
  return Opening(data, patience, progress).Go();
}

}  // namespace mimeo
