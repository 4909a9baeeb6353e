#include "store/journal_snapshot.h"

#include <algorithm>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/digest.h"
#include "base/status_macros.h"
#include "proto/snapshot.pb.h"

namespace mimeo {
namespace {

// What one write may hold: a write of so much delays the others by a millisecond or two.
constexpr size_t kKeysAtOnce = 1000;
constexpr size_t kBytesAtOnce = 1 << 20;

std::string PrefixOf(int64_t entries) { return OrderedKey(static_cast<uint64_t>(entries)); }

// Index 0 is the head or its mark, and the records are numbered from 1.
std::string KeyOf(int64_t entries, uint64_t index) { return absl::StrCat(PrefixOf(entries), OrderedKey(index)); }

std::string DigestOf(const JournalSnapshot& snapshot) {
  Sha256Stream digest;
  for (const std::string& record : snapshot.records) {
    digest.Update(OrderedKey(record.size()));
    digest.Update(record);
  }
  return digest.Finish();
}

bool IsMark(const std::string& head_bytes) {
  SnapshotHead head;
  return !head_bytes.empty() && head.ParseFromString(head_bytes) && head.unfinished();
}

// A snapshot as the store holds it.
struct Found {
  JournalSnapshot snapshot;
  std::string head;
};

// Why the records are not those that the head promises; empty when they are.
std::string ProblemOf(const Found& found) {
  SnapshotHead head;
  if (found.head.empty()) return "its head is missing";
  if (!head.ParseFromString(found.head) || head.entries() != found.snapshot.entries) return "its head cannot be read";
  const auto records = static_cast<int64_t>(found.snapshot.records.size());
  if (records != head.records()) return absl::StrCat("it has ", records, " records in a row, of ", head.records());
  return DigestOf(found.snapshot) == head.digest() ? "" : "its records do not match their digest";
}

absl::Status WriteHead(KeyValueStore* store, const SnapshotHead& head) {
  WriteBatch batch;
  batch.puts.push_back({Family::kSnapshots, KeyOf(head.entries(), 0), head.SerializeAsString()});
  return store->Write(batch, Durability::kSynced);
}

absl::Status WriteRecords(KeyValueStore* store, const JournalSnapshot& snapshot) {
  WriteBatch batch;
  size_t bytes = 0;
  for (size_t i = 0; i < snapshot.records.size(); ++i) {
    const std::string& record = snapshot.records[i];
    batch.puts.push_back({Family::kSnapshots, KeyOf(snapshot.entries, i + 1), record});
    bytes += record.size();
    const bool last = i + 1 == snapshot.records.size();
    if (!last && batch.puts.size() < kKeysAtOnce && bytes < kBytesAtOnce) continue;
    RETURN_IF_ERROR(store->Write(batch, Durability::kBuffered));  // the head's write is synced, and comes later
    batch.puts.clear();
    bytes = 0;
  }
  return absl::OkStatus();
}

absl::Status RemoveKeys(KeyValueStore* store, Family family, const std::vector<std::string>& keys) {
  for (size_t begin = 0; begin < keys.size(); begin += kKeysAtOnce) {
    WriteBatch batch;
    for (size_t i = begin; i < std::min(begin + kKeysAtOnce, keys.size()); ++i) {
      batch.removes.push_back({family, keys[i]});
    }
    RETURN_IF_ERROR(store->Write(batch, Durability::kBuffered));
  }
  return absl::OkStatus();
}

// The keys with `prefix` while `wanted`.
absl::StatusOr<std::vector<std::string>> KeysWhile(const KeyValueStore& store, Family family, const std::string& prefix,
                                                   absl::FunctionRef<bool(absl::string_view key)> wanted) {
  std::vector<std::string> keys;
  RETURN_IF_ERROR(store.Scan(family, prefix, "", [&](absl::string_view key, absl::string_view) {
    if (!wanted(key)) return false;
    keys.push_back(std::string(key));
    return true;
  }));
  return keys;
}

// The mark goes last: records without it would be a damaged snapshot.
absl::Status RemoveUnfinished(KeyValueStore* store, int64_t entries) {
  ASSIGN_OR_RETURN(std::vector<std::string> keys,
                   KeysWhile(*store, Family::kSnapshots, PrefixOf(entries), [](absl::string_view) { return true; }));
  std::reverse(keys.begin(), keys.end());
  return RemoveKeys(store, Family::kSnapshots, keys);
}

}  // namespace

absl::StatusOr<JournalSnapshot> ReadSnapshot(const KeyValueStore& store) {
  Found newest, current;
  const auto end_current = [&] {
    if (current.snapshot.entries > 0 && !IsMark(current.head)) newest = std::move(current);
  };
  absl::Status status;
  RETURN_IF_ERROR(store.Scan(Family::kSnapshots, "", "", [&](absl::string_view key, absl::string_view value) {
    if (key.size() != 2 * sizeof(uint64_t)) {
      status = absl::DataLossError(absl::StrCat("journal: a key of ", key.size(), " bytes is none of a snapshot"));
      return false;
    }
    const auto entries = static_cast<int64_t>(ParseOrderedKey(key.substr(0, sizeof(uint64_t))));
    const uint64_t index = ParseOrderedKey(key.substr(sizeof(uint64_t)));
    if (entries != current.snapshot.entries) {  // they follow each other by age
      end_current();
      current = {{entries, {}}, ""};
    }
    if (index == 0) {
      current.head = std::string(value);
    } else if (index == current.snapshot.records.size() + 1) {
      current.snapshot.records.push_back(std::string(value));
    }  // else one is missing before it, which the number of records tells
    return true;
  }));
  RETURN_IF_ERROR(status);
  end_current();
  if (newest.snapshot.entries == 0) return newest.snapshot;
  const std::string problem = ProblemOf(newest);
  if (problem.empty()) return std::move(newest.snapshot);
  return absl::DataLossError(
      absl::StrCat("journal: the snapshot of its first ", newest.snapshot.entries, " entries: ", problem));
}

absl::Status WriteSnapshot(KeyValueStore* store, const JournalSnapshot& snapshot) {
  SnapshotHead head;
  head.set_entries(snapshot.entries);
  head.set_unfinished(true);
  absl::Status written = WriteHead(store, head);
  if (written.ok()) written = WriteRecords(store, snapshot);
  if (written.ok()) {
    head.set_unfinished(false);
    head.set_records(static_cast<int64_t>(snapshot.records.size()));
    head.set_digest(DigestOf(snapshot));
    written = WriteHead(store, head);
  }
  // What cannot be removed now is older than the next snapshot, and goes with it.
  if (!written.ok()) RemoveUnfinished(store, snapshot.entries).IgnoreError();
  return written;
}

bool IsUnfinishedSnapshot(const KeyValueStore& store, int64_t entries) {
  const absl::StatusOr<std::string> head = store.Get(Family::kSnapshots, KeyOf(entries, 0));
  return head.ok() && IsMark(*head);
}

absl::Status RemoveReplaced(KeyValueStore* store, int64_t entries) {
  const std::string snapshot = PrefixOf(entries);
  ASSIGN_OR_RETURN(const std::vector<std::string> older,
                   KeysWhile(*store, Family::kSnapshots, "", [&](absl::string_view key) { return key < snapshot; }));
  RETURN_IF_ERROR(RemoveKeys(store, Family::kSnapshots, older));
  const std::string last_event = OrderedKey(static_cast<uint64_t>(entries - 1));
  ASSIGN_OR_RETURN(const std::vector<std::string> events,
                   KeysWhile(*store, Family::kJournal, "", [&](absl::string_view key) { return key < last_event; }));
  return RemoveKeys(store, Family::kJournal, events);
}

}  // namespace mimeo
