#include "store/salvage.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <system_error>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/endian.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "store/database.h"
#include "store/directory_check.h"
#include "store/journal.h"
#include "store/ledger.h"
#include "store/log_file.h"
#include "store/rocksdb_store.h"

namespace mimeo {
namespace {

bool IsTable(const std::string& file) { return absl::EndsWith(file, ".sst"); }
bool IsBlob(const std::string& file) { return absl::EndsWith(file, ".blob"); }

// The puts and deletes of a record of the log, in our families. Families have had these numbers since the first
// version.
class FamilyWrites : public rocksdb::WriteBatch::Handler {
 public:
  rocksdb::Status PutCF(uint32_t family, const rocksdb::Slice& key, const rocksdb::Slice& value) override {
    if (IsOurs(family, key)) batch.puts.push_back({FamilyOf(family), key.ToString(), value.ToString()});
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteCF(uint32_t family, const rocksdb::Slice& key) override {
    if (IsOurs(family, key)) batch.removes.push_back({FamilyOf(family), key.ToString()});
    return rocksdb::Status::OK();
  }
  WriteBatch batch;

 private:
  // RocksDB's "default" is its number 0.
  static Family FamilyOf(uint32_t family) { return family == 0 ? Family::kSnapshots : static_cast<Family>(family - 1); }
  static bool IsOurs(uint32_t family, const rocksdb::Slice& key) {
    return family < kNumFamilies && !(family == 0 && key == Database::kSchemaKey);
  }
};

class Salvager {
 public:
  Salvager(std::string dir, std::string scratch) : dir_(std::move(dir)), scratch_(std::move(scratch)) {}

  absl::StatusOr<Salvage> Run() {
    ASSIGN_OR_RETURN(files_, ListFiles(dir_));
    // Without a manifest that CURRENT names, what the ledger says is all that there is.
    const absl::StatusOr<std::string> manifest = CurrentManifest(dir_);
    synced_ = (manifest.ok() ? LedgerOf(dir_, *manifest) : Ledger::Read(dir_)).value_or(Ledger::Lengths());
    RETURN_IF_ERROR(ReadLogs());
    absl::StatusOr<std::unique_ptr<KeyValueStore>> store = WithManifest();
    if (!store.ok()) {
      salvage_.losses.push_back(std::string(store.status().message()));
      store = WithoutManifest();
    }
    if (!store.ok()) return store.status();
    salvage_.store = *std::move(store);
    return std::move(salvage_);
  }

 private:
  // Each log as a file without its damaged parts.
  absl::Status ReadLogs() {
    for (const auto& [file, length] : synced_) {
      if (!absl::c_binary_search(files_, file)) {
        salvage_.losses.push_back(absl::StrCat(file, " is missing: ", length, " bytes are lost"));
      }
    }
    for (const std::string& file : files_) {
      if (!IsLog(file)) continue;
      ASSIGN_OR_RETURN(const std::string bytes, ReadFile(JoinPath(dir_, file)));
      const LogVerdict verdict = CheckLog(bytes, Synced(file));
      LogSalvage whole = SalvageLog(bytes);
      if (verdict.end == LogVerdict::End::kDamaged) {
        salvage_.losses.push_back(absl::StrCat(file, ": ", verdict.problem));
        for (const LogSalvage::Gap& gap : whole.gaps) {
          salvage_.losses.push_back(absl::StrCat(file, ": bytes ", gap.begin, " to ", gap.end, " are lost"));
        }
      }
      logs_.emplace_back(file, std::move(whole.records));
    }
    return absl::OkStatus();
  }

  // The manifest that CURRENT names, or, if it names none, the newest.
  absl::StatusOr<std::string> FindManifest() {
    absl::StatusOr<std::string> manifest = CurrentManifest(dir_);
    if (!manifest.ok() || !absl::c_binary_search(files_, *manifest)) {
      salvage_.losses.push_back(manifest.ok() ? absl::StrCat(*manifest, ", which CURRENT names, is missing")
                                              : "CURRENT is missing or damaged");
      manifest = absl::DataLossError("there is no manifest");
      for (const std::string& file : files_) {
        if (absl::StartsWith(file, "MANIFEST-")) manifest = file;
      }
      RETURN_IF_ERROR(manifest.status());
    }
    ASSIGN_OR_RETURN(const std::string bytes, ReadFile(JoinPath(dir_, *manifest)));
    const LogVerdict verdict = CheckLog(bytes, Synced(*manifest));
    if (verdict.end != LogVerdict::End::kDamaged) return manifest;
    return absl::DataLossError(absl::StrCat(*manifest, ": ", verdict.problem));
  }

  absl::StatusOr<std::unique_ptr<KeyValueStore>> WithManifest() {
    ASSIGN_OR_RETURN(const std::string manifest, FindManifest());
    RETURN_IF_ERROR(LinkFiles([](const std::string& file) { return IsTable(file) || IsBlob(file); }));
    ASSIGN_OR_RETURN(const std::string bytes, ReadFile(JoinPath(dir_, manifest)));
    RETURN_IF_ERROR(WriteFileAtomic(JoinPath(scratch_, manifest), bytes));
    RETURN_IF_ERROR(WriteFileAtomic(JoinPath(scratch_, "CURRENT"), manifest + "\n"));
    for (const auto& [file, records] : logs_) {
      RETURN_IF_ERROR(WriteFileAtomic(JoinPath(scratch_, file), WriteLog(records)));
    }
    return OpenRocksDbStore({scratch_});
  }

  // RocksDB gathers the tables; blobs and logs are put on top, in the order in which they were written.
  absl::StatusOr<std::unique_ptr<KeyValueStore>> WithoutManifest() {
    RETURN_IF_ERROR(LinkFiles(IsTable));
    if (absl::c_any_of(files_, IsTable)) {
      const rocksdb::Options options = DatabaseOptions(rocksdb::Env::Default());
      RETURN_IF_ERROR(ToStatus(rocksdb::RepairDB(scratch_, options, DatabaseFamilies(options)), dir_));
    }
    ASSIGN_OR_RETURN(std::unique_ptr<KeyValueStore> store, OpenRocksDbStore({scratch_}));
    for (const std::string& file : files_) {
      if (IsBlob(file)) RETURN_IF_ERROR(PutBlobs(file, store.get()));
    }
    for (const auto& [file, records] : logs_) {
      for (const std::string& record : records) {
        FamilyWrites writes;
        if (record.size() < 12) continue;  // a batch has a header of 12 bytes
        RETURN_IF_ERROR(ToStatus(rocksdb::WriteBatch(record).Iterate(&writes), dir_));
        RETURN_IF_ERROR(store->Write(writes.batch, Durability::kBuffered));
      }
    }
    return store;
  }

  // The chunks of a blob file: a header of 30 bytes; of each the lengths of key and value, 8 bytes each, an expiration,
  // 8, the checksum of these, 4, that of key and value, 4, and both. RocksDB 7.8.3, db/blob/blob_log_format.h.
  absl::Status PutBlobs(const std::string& file, KeyValueStore* store) {
    constexpr size_t kFileHeader = 30, kHeader = 32;
    ASSIGN_OR_RETURN(const std::string bytes, ReadFile(JoinPath(dir_, file)));
    absl::string_view left = absl::string_view(bytes).substr(std::min(kFileHeader, bytes.size()));
    while (left.size() > kHeader) {
      const uint64_t key = LoadLittle64(left.data());
      const uint64_t value = LoadLittle64(left.data() + 8);
      if (key > left.size() || value > left.size() || kHeader + key + value > left.size()) {
        break;  // the file's end, or damage
      }
      WriteBatch batch;
      batch.puts.push_back(
          {Family::kChunks, std::string(left.substr(kHeader, key)), std::string(left.substr(kHeader + key, value))});
      // Whether it is whole is asked by whoever reads it: chunks have digests.
      RETURN_IF_ERROR(store->Write(batch, Durability::kBuffered));
      left.remove_prefix(kHeader + key + value);
    }
    return absl::OkStatus();
  }

  // Makes `scratch` anew, with those files of `dir`: as links where the disk has them, since tables and blobs are never
  // written to.
  template <typename Predicate>
  absl::Status LinkFiles(const Predicate& wanted) {
    RETURN_IF_ERROR(RemoveTree(scratch_));
    RETURN_IF_ERROR(MakeDirs(scratch_));
    for (const std::string& file : files_) {
      if (!wanted(file)) continue;
      std::error_code error;
      std::filesystem::create_hard_link(JoinPath(dir_, file), JoinPath(scratch_, file), error);
      if (error) std::filesystem::copy_file(JoinPath(dir_, file), JoinPath(scratch_, file), error);
      if (error) return absl::UnavailableError(absl::StrCat("copying ", JoinPath(dir_, file), ": ", error.message()));
    }
    return absl::OkStatus();
  }

  int64_t Synced(const std::string& file) const {
    const auto found = synced_.find(file);
    return found == synced_.end() ? 0 : found->second;
  }

  const std::string dir_;
  const std::string scratch_;
  std::vector<std::string> files_;
  Ledger::Lengths synced_;
  std::vector<std::pair<std::string, std::vector<std::string>>> logs_;  // by file: the whole records
  Salvage salvage_;
};

}  // namespace

absl::StatusOr<Salvage> SalvageStore(const std::string& dir, const std::string& scratch) {
  return Salvager(dir, scratch).Run();
}

namespace {

// Visits the keys of `family` that begin with `prefix` and a number, from the first; where a part cannot be read, the
// next number behind it that can.
void VisitNumbers(const KeyValueStore& store, Family family, const std::string& prefix,
                  const std::function<void(int64_t)>& visit) {
  constexpr int64_t kUnreadableMax = 100000;  // in a row: behind so many there is nothing more
  int64_t next = 0;
  const auto found = [&](absl::string_view key, absl::string_view) {
    const auto number = static_cast<int64_t>(ParseOrderedKey(key.substr(prefix.size(), sizeof(uint64_t))));
    if (number >= next) visit(number);
    next = std::max(next, number + 1);
    return true;
  };
  bool scanned = store.Scan(family, prefix, prefix, found).ok();
  int64_t skip = 1;
  while (!scanned && skip <= kUnreadableMax) {
    const int64_t before = next;
    scanned =
        store.Scan(family, prefix, absl::StrCat(prefix, OrderedKey(static_cast<uint64_t>(before + skip))), found).ok();
    skip = next > before ? 1 : skip * 2;
  }
}

// What is found of the records of the snapshot of the first `entries` entries.
std::vector<FoundEntry> RecordsOf(const KeyValueStore& store, int64_t entries) {
  std::vector<FoundEntry> records;
  const std::string prefix = OrderedKey(static_cast<uint64_t>(entries));
  VisitNumbers(store, Family::kSnapshots, prefix, [&](int64_t index) {
    if (index == 0) return;  // the head
    records.push_back(
        {index, store.Get(Family::kSnapshots, absl::StrCat(prefix, OrderedKey(static_cast<uint64_t>(index))))});
  });
  return records;
}

}  // namespace

FoundJournal ReadJournal(const KeyValueStore& store) {
  FoundJournal journal;
  int64_t least = 0;
  int64_t count = 0;  // one more than the last entry that a scan finds
  VisitNumbers(store, Family::kJournal, "", [&](int64_t number) {
    if (count == 0) least = number;
    count = number + 1;
  });
  const absl::StatusOr<JournalSnapshot> snapshot = ReadSnapshot(store);
  if (!snapshot.ok()) journal.snapshot_problem = std::string(snapshot.status().message());
  VisitNumbers(store, Family::kSnapshots, "", [&](int64_t entries) {
    if (!IsUnfinishedSnapshot(store, entries)) journal.first = std::max(journal.first, entries);
  });
  // Where its beginning cannot be read, the entry that was kept before it tells of how many it is.
  if (journal.first == 0 && least > 0 && !RecordsOf(store, least + 1).empty()) journal.first = least + 1;
  if (journal.first > 0) journal.snapshot = RecordsOf(store, journal.first);
  // So many entries are removed from the front only when a snapshot stands for them.
  constexpr int64_t kLostOneByOne = 1000;
  if (journal.first == 0 && least > kLostOneByOne) {
    journal.snapshot_problem = absl::StrCat("journal: the snapshot of its first ", least + 1, " entries is missing");
    journal.first = least;
  }
  for (int64_t number = journal.first; number < count; ++number) {
    journal.entries.push_back({number, store.Get(Family::kJournal, OrderedKey(static_cast<uint64_t>(number)))});
  }
  return journal;
}

absl::StatusOr<int64_t> CopyReadable(const KeyValueStore& from, Family family, const std::string& prefix,
                                     KeyValueStore* to) {
  constexpr size_t kBatch = 1000;
  int64_t holes = 0;
  std::string last;
  int64_t visited = 0;
  WriteBatch batch;
  absl::Status written;
  const auto flush = [&](size_t least) {
    if (batch.puts.size() < least) return true;
    written = to->Write(batch, Durability::kBuffered);
    batch.puts.clear();
    return written.ok();
  };
  const auto visit = [&](absl::string_view key, absl::string_view value) {
    last = std::string(key);
    ++visited;
    batch.puts.push_back({family, last, std::string(value)});
    return flush(kBatch);
  };
  absl::Status scanned = from.Scan(family, prefix, "", visit);
  constexpr uint64_t kSkipMax = uint64_t{1} << 40;
  uint64_t skip = 1;
  while (!scanned.ok() && written.ok() && skip <= kSkipMax) {
    if (skip == 1) ++holes;
    // The key's last part is a number, and the keys of a family follow each other in its order.
    const bool none = last.size() < prefix.size() + sizeof(uint64_t);
    const uint64_t number = none ? 0 : ParseOrderedKey(absl::string_view(last).substr(last.size() - sizeof(uint64_t)));
    const std::string stem = none ? prefix : last.substr(0, last.size() - sizeof(uint64_t));
    const int64_t before = visited;
    scanned = from.Scan(family, prefix, stem + OrderedKey(number + skip), visit);
    skip = visited > before ? 1 : skip * 2;
  }
  if (written.ok()) flush(1);
  RETURN_IF_ERROR(written);
  return holes;
}

}  // namespace mimeo
