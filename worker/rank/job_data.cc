#include "worker/rank/job_data.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "data/patient_dataset.h"
#include "data/sample_name.h"

namespace mimeo {
namespace {

class Opening {
 public:
  Opening(const JobData& data, const Patience& patience, Progress* progress)
      : data_(data), patience_(patience), progress_(progress), what_(absl::StripSuffix(data.field, ".path")) {}
  ~Opening() { Tell(""); }

  absl::StatusOr<std::unique_ptr<Dataset>> Go() {
    while (true) {
      absl::StatusOr<std::unique_ptr<Dataset>> opened = Dataset::Open(data_.path, progress_, data_.members);
      if (opened.ok() && (data_.digest.empty() || (*opened)->digest() == data_.digest)) {
        return std::make_unique<PatientDataset>(*std::move(opened), what_, patience_);
      }
      if (!data_.read_before) {
        return absl::Status(opened.status().code(), absl::StrCat(data_.field, ": ", opened.status().message()));
      }
      RETURN_IF_ERROR(Await(opened));
    }
  }

 private:
  // Returns when it is worth to look again.
  absl::Status Await(const absl::StatusOr<std::unique_ptr<Dataset>>& opened) {
    const bool something = opened.ok() || absl::IsInvalidArgument(opened.status());
    const std::string found = opened.ok() ? (*opened)->digest() : std::string(opened.status().message());
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

  std::string Changed(const absl::StatusOr<std::unique_ptr<Dataset>>& opened) const {
    const std::string before = data_.num_samples == 0 ? "" : absl::StrCat(data_.num_samples, " images, ");
    const std::string is = opened.ok()
                               ? absl::StrCat("it has ", (*opened)->size(), " images, digest ", (*opened)->digest())
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
  std::string found_;  // the digest or the error of the last look
  absl::Time found_since_ = absl::InfinitePast();
  std::string told_;  // what is waited for; empty: nothing
};

}  // namespace

absl::StatusOr<std::unique_ptr<Dataset>> OpenJobData(const JobData& data, const Patience& patience,
                                                     Progress* progress) {
  return Opening(data, patience, progress).Go();
}

}  // namespace mimeo
