#include "store/journal.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace mimeo {

absl::Status Journal::Replay(absl::FunctionRef<absl::Status(const Event&)> apply) {
  next_ = 0;
  absl::Status status;
  RETURN_IF_ERROR(store_->Scan(Family::kJournal, "", "", [&](absl::string_view key, absl::string_view value) {
    if (key != OrderedKey(next_)) {
      status = absl::DataLossError(absl::StrCat("journal: entry ", next_, " is missing; the next one is ", ParseOrderedKey(key)));
      return false;
    }
    Event event;
    if (!event.ParseFromArray(value.data(), static_cast<int>(value.size())) || event.kind_case() == Event::KIND_NOT_SET) {
      status = absl::DataLossError(absl::StrCat("journal: entry ", next_, " (", value.size(), " bytes) is no event"));
      return false;
    }
    status = apply(event);
    if (!status.ok()) {
      status = absl::Status(status.code(), absl::StrCat("journal: entry ", next_, ": ", status.message()));
      return false;
    }
    ++next_;
    return true;
  }));
  return status;
}

absl::Status Journal::Append(const Event& event, const WriteBatch& extra) {
  WriteBatch batch = extra;
  batch.puts.push_back({Family::kJournal, OrderedKey(next_), event.SerializeAsString()});
  RETURN_IF_ERROR(store_->Write(batch, Durability::kSynced));
  ++next_;
  return absl::OkStatus();
}

}  // namespace mimeo
