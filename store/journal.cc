#include "store/journal.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/text.h"

namespace mimeo {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

std::string OddText(const Message& message, const std::string& path);

// The path of the first text in `field` that is not UTF-8; empty when there is none.
std::string OddField(const Message& message, const FieldDescriptor* field, const std::string& path) {
  const Reflection* reflection = message.GetReflection();
  const int count = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
  for (int i = 0; i < count; ++i) {
    const std::string name =
        field->is_repeated() ? absl::StrCat(path, field->name(), "[", i, "]") : path + field->name();
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      const std::string odd = OddText(field->is_repeated() ? reflection->GetRepeatedMessage(message, field, i)
                                                           : reflection->GetMessage(message, field),
                                      name + ".");
      if (!odd.empty()) return odd;
    } else if (field->type() == FieldDescriptor::TYPE_STRING) {
      const std::string text = field->is_repeated() ? reflection->GetRepeatedString(message, field, i)
                                                    : reflection->GetString(message, field);
      if (!IsUtf8(text)) return name;
    }
  }
  return "";
}

std::string OddText(const Message& message, const std::string& path) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const std::string odd = OddField(message, field, path);
    if (!odd.empty()) return odd;
  }
  return "";
}

// The bytes of `event`. Protobuf writes what it then refuses to read: a text that is not UTF-8.
absl::StatusOr<std::string> Serialize(const Event& event) {
  const std::string odd = OddText(event, "");
  if (!odd.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("journal: ", odd, " is not UTF-8: the event could not be read back"));
  }
  std::string bytes = event.SerializeAsString();
  const absl::StatusOr<Event> read = ParseEvent(bytes);
  if (read.ok() && read->SerializeAsString() == bytes) return bytes;
  return absl::InvalidArgumentError(
      absl::StrCat("journal: an event of ", bytes.size(), " bytes (", event.GetTypeName(), ") would not be read back"));
}

}  // namespace

absl::StatusOr<Event> ParseEvent(absl::string_view bytes) {
  Event event;
  if (event.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) && event.kind_case() != Event::KIND_NOT_SET) {
    return event;
  }
  return absl::DataLossError(absl::StrCat(bytes.size(), " bytes are no event"));
}

absl::Status Journal::RefuseSnapshot(const JournalSnapshot& snapshot) {
  return absl::UnimplementedError(absl::StrCat("the first ", snapshot.entries, " entries are in a snapshot"));
}

void Journal::Begin(const JournalSnapshot& snapshot) {
  next_ = first_ = cut_from_ = snapshot.entries;
  bytes_ = 0;
  snapshot_bytes_ = 0;
  for (const std::string& record : snapshot.records) snapshot_bytes_ += static_cast<int64_t>(record.size());
}

absl::Status Journal::Replay(absl::FunctionRef<absl::Status(const Event&)> apply,
                             absl::FunctionRef<absl::Status(const JournalSnapshot&)> load) {
  ASSIGN_OR_RETURN(const JournalSnapshot snapshot, ReadSnapshot(*store_));
  Begin(snapshot);
  absl::Status status = snapshot.entries == 0 ? absl::OkStatus() : load(snapshot);
  if (!status.ok()) {
    return absl::Status(status.code(), absl::StrCat("journal: the snapshot of its first ", snapshot.entries,
                                                    " entries: ", status.message()));
  }
  RETURN_IF_ERROR(
      store_->Scan(Family::kJournal, "", OrderedKey(first_), [&](absl::string_view key, absl::string_view value) {
        if (key != OrderedKey(next_)) {
          status = absl::DataLossError(
              absl::StrCat("journal: entry ", next_, " is missing; the next one is ", ParseOrderedKey(key)));
          return false;
        }
        const absl::StatusOr<Event> event = ParseEvent(value);
        if (!event.ok()) {
          status = absl::DataLossError(absl::StrCat("journal: entry ", next_, ": ", event.status().message()));
          return false;
        }
        status = apply(*event);
        if (!status.ok()) {
          status = absl::Status(status.code(), absl::StrCat("journal: entry ", next_, ": ", status.message()));
          return false;
        }
        ++next_;
        bytes_ += static_cast<int64_t>(value.size());
        return true;
      }));
  return status;
}

absl::Status Journal::Append(const Event& event, const WriteBatch& extra) {
  ASSIGN_OR_RETURN(std::string bytes, Serialize(event));
  const auto size = static_cast<int64_t>(bytes.size());
  WriteBatch batch = extra;
  batch.puts.push_back({Family::kJournal, OrderedKey(next_), std::move(bytes)});
  RETURN_IF_ERROR(store_->Write(batch, Durability::kSynced));
  ++next_;
  bytes_ += size;
  return absl::OkStatus();
}

bool Journal::IsLong() const {
  const bool beyond = next_ - first_ >= bounds_.entries || bytes_ >= bounds_.bytes;
  return beyond && next_ > first_ && next_ >= cut_from_ && bytes_ >= snapshot_bytes_;
}

absl::StatusOr<JournalCut> Journal::Cut(std::vector<std::string> records) {
  if (next_ == first_) return JournalCut{first_, 0, snapshot_bytes_};
  const JournalSnapshot snapshot = {next_, std::move(records)};
  RETURN_IF_ERROR(WriteSnapshot(store_, snapshot));
  const int64_t bytes = bytes_;
  Begin(snapshot);
  // The cut is done already, and the next one removes what stays now.
  const absl::Status removed = RemoveReplaced(store_, snapshot.entries);
  if (!removed.ok()) spdlog::warn("events before the snapshot stay error=\"{}\"", removed.ToString());
  return JournalCut{first_, bytes, snapshot_bytes_};
}

void Journal::NoteCut(const JournalCut& cut) {
  if (cut.entries <= first_) return;
  first_ = cut_from_ = cut.entries;
  bytes_ -= cut.bytes;
  snapshot_bytes_ = cut.snapshot_bytes;
}

void Journal::NoteFailedCut() { cut_from_ = next_ + std::max<int64_t>(bounds_.entries / 8, 1); }

}  // namespace mimeo
