#include "teacher/attach_or_stop.h"

#include "absl/strings/str_cat.h"
#include "base/clock.h"

namespace mimeo {
namespace {

constexpr absl::Duration kStopPoll = absl::Seconds(1);

}  // namespace

absl::Status AttachOrStop(FeatureSource* teacher, const Batch& batch, const std::function<bool()>& stop_wanted,
                          std::vector<ViewInput>* views) {
  absl::Status status;
  do {
    if (stop_wanted()) {
      return absl::CancelledError(absl::StrCat("told to stop while waiting for teacher ", teacher->request().teacher));
    }
    status = teacher->Attach(batch, Clock::Real()->Now() + kStopPoll, views);
  } while (absl::IsDeadlineExceeded(status));
  return status;
}

}  // namespace mimeo
