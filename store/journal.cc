#include "store/journal.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "proto/snapshot.pb.h"

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

std::string SnapshotKey(int64_t entries, uint64_t index) {
  return absl::StrCat(OrderedKey(static_cast<uint64_t>(entries)), OrderedKey(index));
}

std::string DigestOf(const JournalSnapshot& snapshot) {
  Sha256Stream digest;
  for (const std::string& record : snapshot.records) {
    digest.Update(OrderedKey(record.size()));
    digest.Update(record);
  }
  return digest.Finish();
}

// Why the records are not those that `head` promises; empty when they are.
std::string SnapshotProblem(const std::string& bytes, const JournalSnapshot& snapshot) {
  SnapshotHead head;
  if (bytes.empty()) return "its head is missing";
  if (!head.ParseFromString(bytes) || head.entries() != snapshot.entries) return "its head cannot be read";
  const auto records = static_cast<int64_t>(snapshot.records.size());
  if (records != head.records()) return absl::StrCat("it has ", records, " records in a row, of ", head.records());
  return DigestOf(snapshot) == head.digest() ? "" : "its records do not match their digest";
}

}  // namespace

absl::StatusOr<Event> ParseEvent(absl::string_view bytes) {
  Event event;
  if (event.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) && event.kind_case() != Event::KIND_NOT_SET) {
    return event;
  }
  return absl::DataLossError(absl::StrCat(bytes.size(), " bytes are no event"));
}

absl::StatusOr<JournalSnapshot> ReadSnapshot(const KeyValueStore& store) {
  JournalSnapshot snapshot;
  std::string head;
  absl::Status status;
  RETURN_IF_ERROR(store.Scan(Family::kSnapshots, "", "", [&](absl::string_view key, absl::string_view value) {
    if (key.size() != 2 * sizeof(uint64_t)) {
      status = absl::DataLossError(absl::StrCat("journal: a key of ", key.size(), " bytes is none of a snapshot"));
      return false;
    }
    const auto entries = static_cast<int64_t>(ParseOrderedKey(key.substr(0, sizeof(uint64_t))));
    const uint64_t index = ParseOrderedKey(key.substr(sizeof(uint64_t)));
    if (entries != snapshot.entries) {  // the newest comes last
      snapshot = {entries, {}};
      head.clear();
    }
    if (index == 0) {
      head = std::string(value);
    } else if (index == snapshot.records.size() + 1) {
      snapshot.records.push_back(std::string(value));
    }  // else one is missing before it, which the number of records tells
    return true;
  }));
  RETURN_IF_ERROR(status);
  if (snapshot.entries == 0) return snapshot;
  const std::string problem = SnapshotProblem(head, snapshot);
  if (problem.empty()) return snapshot;
  return absl::DataLossError(
      absl::StrCat("journal: the snapshot of its first ", snapshot.entries, " entries: ", problem));
}

WriteBatch SnapshotBatch(const JournalSnapshot& snapshot) {
  SnapshotHead head;
  head.set_entries(snapshot.entries);
  head.set_records(static_cast<int64_t>(snapshot.records.size()));
  head.set_digest(DigestOf(snapshot));
  WriteBatch batch;
  batch.puts.push_back({Family::kSnapshots, SnapshotKey(snapshot.entries, 0), head.SerializeAsString()});
  for (const std::string& record : snapshot.records) {
    batch.puts.push_back({Family::kSnapshots, SnapshotKey(snapshot.entries, batch.puts.size()), record});
  }
  return batch;
}

absl::Status Journal::RefuseSnapshot(const JournalSnapshot& snapshot) {
  return absl::UnimplementedError(absl::StrCat("the first ", snapshot.entries, " entries are in a snapshot"));
}

void Journal::Begin(const JournalSnapshot& snapshot) {
  next_ = first_ = cut_from_ = snapshot.entries;
  bytes_ = 0;
  snapshot_records_ = static_cast<int64_t>(snapshot.records.size());
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

absl::Status Journal::Cut(std::vector<std::string> records) {
  if (next_ == first_) return absl::OkStatus();
  const JournalSnapshot snapshot = {next_, std::move(records)};
  WriteBatch batch = SnapshotBatch(snapshot);
  if (snapshot_records_ > 0) {
    for (int64_t index = 0; index <= snapshot_records_; ++index) {
      batch.removes.push_back({Family::kSnapshots, SnapshotKey(first_, index)});
    }
  }
  // The last entry stays, though the snapshot stands for it too: a store that lost its snapshot then begins with an
  // entry that is not its first, and is not taken for a new one.
  for (int64_t number = std::max<int64_t>(first_ - 1, 0); number < next_ - 1; ++number) {
    batch.removes.push_back({Family::kJournal, OrderedKey(number)});
  }
  const absl::Status written = store_->Write(batch, Durability::kSynced);
  if (written.ok()) {
    Begin(snapshot);
  } else {
    cut_from_ = next_ + std::max<int64_t>(bounds_.entries / 8, 1);
  }
  return written;
}

}  // namespace mimeo
