#include "data/patient_dataset.h"

#include "absl/strings/str_cat.h"
#include "spdlog/spdlog.h"

namespace mimeo {

absl::StatusOr<std::string> PatientDataset::Read(int64_t sample) const {
  bool teller = false;
  while (true) {
    absl::StatusOr<std::string> bytes = dataset_->Read(sample);
    if (!absl::IsUnavailable(bytes.status())) {
      Tell("", &teller);
      return bytes;
    }
    const std::string reason = absl::StrCat(what_, " ", bytes.status().message());
    Tell(reason, &teller);
    const absl::Status pause = patience_.Pause(reason);
    if (pause.ok()) continue;
    Tell("", &teller);
    return pause;
  }
}

void PatientDataset::Tell(const std::string& reason, bool* teller) const {
  absl::MutexLock lock(&mu_);
  if (!*teller && (reason.empty() || !told_.empty())) return;
  *teller = true;
  if (reason == told_) return;
  if (!told_.empty()) patience_.on_waiting(told_, false);
  told_ = reason;
  if (reason.empty()) {
    spdlog::info("{} can be read again", what_);
  } else {
    patience_.on_waiting(reason, true);
    spdlog::warn("waiting for {}", reason);
  }
}

}  // namespace mimeo
