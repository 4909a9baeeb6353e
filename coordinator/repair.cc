#include "coordinator/repair.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "coordinator/journal_repair.h"
#include "store/checkpoint_store.h"
#include "store/directory_check.h"
#include "store/directory_lock.h"
#include "store/journal.h"
#include "store/keys.h"
#include "store/rocksdb_store.h"
#include "store/salvage.h"

namespace mimeo {
namespace {

using Say = std::function<void(const std::string&)>;

// Below the data directory, while a repair is under way.
constexpr char kWork[] = "repair";
constexpr char kOld[] = "repair/old";  // the damaged store, opened for reading
constexpr char kNew[] = "repair/new";  // the one that is made
// Is there once the new one is complete: names the directory of the damaged files.
constexpr char kMoving[] = "repair/moving_to";
constexpr char kMoved[] = "repair/moved";  // is there once the damaged files are in that directory
constexpr char kCurrent[] = "CURRENT";  // without it no coordinator starts: the first that goes and the last that comes

absl::Status Move(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("moving ", from, " to ", to, ": ", std::strerror(errno)));
}

// A file of the store itself, and not of a repair.
bool BelongsToStore(const std::string& file) {
  return file != kWork && file != "LOCK" && !absl::StartsWith(file, "damaged-") && file != "lost+found";
}

std::string FreeDamagedDir(const std::string& dir) {
  int n = 1;
  while (FileExists(JoinPath(dir, absl::StrCat("damaged-", n)))) ++n;
  return absl::StrCat("damaged-", n);
}

class Repair {
 public:
  Repair(std::string dir, const Say& say) : dir_(std::move(dir)), say_(say) {}

  absl::Status Run() {
    if (!IsDirectory(dir_)) return absl::NotFoundError(absl::StrCat(dir_, " is no directory"));
    ASSIGN_OR_RETURN(const std::unique_ptr<DirectoryLock> lock, DirectoryLock::Take(dir_));
    if (!FileExists(JoinPath(dir_, kMoving))) {
      RETURN_IF_ERROR(RemoveTree(JoinPath(dir_, kWork)));
      if (IsNewStore(dir_)) return absl::NotFoundError(absl::StrCat(dir_, " holds no store"));
      const absl::Status made = MakeNew();
      if (!made.ok() || told_.empty()) {
        salvage_.store.reset();
        RemoveTree(JoinPath(dir_, kWork)).IgnoreError();
        return made;
      }
    }
    return PutInPlace();  // also of a repair that was stopped while it did so
  }

 private:
  // The new store, complete beside the damaged one; or nothing, when nothing is damaged.
  absl::Status MakeNew() {
    RETURN_IF_ERROR(MakeDirs(JoinPath(dir_, kWork)));
    ASSIGN_OR_RETURN(salvage_, SalvageStore(dir_, JoinPath(dir_, kOld)));
    for (const std::string& loss : salvage_.losses) Tell(loss);
    const FoundJournal found = ReadJournal(*salvage_.store);
    journal_ = MendJournal(found, {});
    const std::set<CheckpointKey> lost = UnreadableCheckpoints();
    if (!lost.empty()) journal_ = MendJournal(found, lost);
    TellOfJournal();
    {
      ASSIGN_OR_RETURN(const std::unique_ptr<KeyValueStore> store, OpenRocksDbStore({JoinPath(dir_, kNew)}));
      RETURN_IF_ERROR(WriteJournal(store.get()));
      RETURN_IF_ERROR(CopyMetrics(store.get()));
      if (told_.empty()) {
        say_(absl::StrCat(dir_, " is not damaged (", found.first + found.entries.size(), " journal entries, ",
                          journal_.state.jobs().size(), " jobs): nothing was changed"));
        return absl::OkStatus();
      }
      RETURN_IF_ERROR(CopyCheckpoints(store.get()));
    }
    say_(absl::StrCat(journal_.entries.size(), " journal entries are kept, of ", found.entries.size(),
                      " that were found"));
    if (journal_.first > 0) {
      say_(absl::StrCat(journal_.snapshot.size(), " records are kept of the snapshot of the first ", journal_.first,
                        " entries, of ", found.snapshot.size(), " that were found"));
    }
    return KeepWhatWasSetAside();
  }

  // Checkpoints that the journal names and of which some byte cannot be read.
  std::set<CheckpointKey> UnreadableCheckpoints() {
    std::set<CheckpointKey> lost;
    const CheckpointStore checkpoints(salvage_.store.get());
    for (const auto& [id, job] : journal_.state.jobs()) {
      for (const int64_t step : job.checkpoint_steps) {
        const absl::Status whole = CheckCheckpoint(checkpoints, id, step);
        if (whole.ok()) continue;
        Tell(absl::StrCat("checkpoint ", id, " step ", step, " is lost: ", whole.message()));
        lost.insert({id, step});
      }
    }
    return lost;
  }

  static absl::Status CheckCheckpoint(const CheckpointStore& checkpoints, const std::string& job_id, int64_t step) {
    ASSIGN_OR_RETURN(const CheckpointManifest manifest, checkpoints.GetManifest(job_id, step));
    for (int32_t index = 0; index < manifest.chunk_sha256_size(); ++index) {
      RETURN_IF_ERROR(checkpoints.GetChunk(manifest, index).status());
    }
    return absl::OkStatus();
  }

  void TellOfJournal() {
    for (const MendedJournal::SetAside& entry : journal_.set_aside) {
      Tell(absl::StrCat(entry.in_snapshot ? "snapshot record " : "journal entry ", entry.number, " (", entry.what, ", ",
                        entry.bytes.size(), " bytes) is set aside: ", entry.why));
    }
    for (const std::string& change : journal_.changes) Tell(change);
  }

  absl::Status WriteJournal(KeyValueStore* store) {
    if (journal_.first > 0) {
      RETURN_IF_ERROR(WriteSnapshot(store, {journal_.first, journal_.snapshot}));
    }
    constexpr size_t kBatch = 1000;
    WriteBatch batch;
    for (size_t i = 0; i < journal_.entries.size(); ++i) {
      batch.puts.push_back({Family::kJournal, OrderedKey(journal_.first + i), journal_.entries[i]});
      if (batch.puts.size() < kBatch && i + 1 < journal_.entries.size()) continue;
      RETURN_IF_ERROR(store->Write(batch, Durability::kSynced));
      batch.puts.clear();
    }
    return absl::OkStatus();
  }

  absl::Status CopyMetrics(KeyValueStore* store) {
    for (const auto& [id, job] : journal_.state.jobs()) {
      for (const std::string& prefix : {StepPrefix(id), EvaluationPrefix(id)}) {
        ASSIGN_OR_RETURN(const int64_t holes, CopyReadable(*salvage_.store, Family::kMetrics, prefix, store));
        if (holes > 0) {
          Tell(absl::StrCat("metrics of ", id, ": a part is lost in ", holes, holes == 1 ? " place" : " places"));
        }
      }
    }
    return absl::OkStatus();
  }

  absl::Status CopyCheckpoints(KeyValueStore* store) {
    const CheckpointStore from(salvage_.store.get());
    CheckpointStore to(store);
    for (const auto& [id, job] : journal_.state.jobs()) {
      for (const int64_t step : job.checkpoint_steps) {
        ASSIGN_OR_RETURN(const CheckpointManifest manifest, from.GetManifest(id, step));
        for (int32_t index = 0; index < manifest.chunk_sha256_size(); ++index) {
          ASSIGN_OR_RETURN(const std::string bytes, from.GetChunk(manifest, index));
          RETURN_IF_ERROR(to.PutChunk({id, step, manifest.content_id(), index}, manifest.chunk_sha256(index), bytes));
        }
        ASSIGN_OR_RETURN(const WriteBatch batch, to.CommitBatch(manifest));
        RETURN_IF_ERROR(store->Write(batch, Durability::kSynced));
      }
    }
    return absl::OkStatus();
  }

  absl::Status KeepWhatWasSetAside() {
    const std::string damaged = FreeDamagedDir(dir_);
    RETURN_IF_ERROR(MakeDirs(JoinPath(dir_, damaged)));
    for (const MendedJournal::SetAside& entry : journal_.set_aside) {
      if (entry.bytes.empty()) continue;
      const std::string file = absl::StrCat(damaged, entry.in_snapshot ? "/record-" : "/entry-", entry.number);
      RETURN_IF_ERROR(WriteFileAtomic(JoinPath(dir_, file), entry.bytes));
    }
    RETURN_IF_ERROR(
        WriteFileAtomic(JoinPath(dir_, damaged + "/REPAIR"), absl::StrCat(absl::StrJoin(told_, "\n"), "\n")));
    return WriteFileAtomic(JoinPath(dir_, kMoving), damaged);
  }

  // Every step may be the last before the machine stops: the next repair goes on from there.
  absl::Status PutInPlace() {
    salvage_.store.reset();
    ASSIGN_OR_RETURN(const std::string damaged, ReadFile(JoinPath(dir_, kMoving)));
    if (!FileExists(JoinPath(dir_, kMoved))) {
      ASSIGN_OR_RETURN(std::vector<std::string> old, ListFiles(dir_));
      absl::c_stable_partition(old, [](const std::string& file) { return file == kCurrent; });
      for (const std::string& file : old) {
        if (BelongsToStore(file)) RETURN_IF_ERROR(Move(JoinPath(dir_, file), JoinPath(dir_, damaged + "/" + file)));
      }
      RETURN_IF_ERROR(WriteFileAtomic(JoinPath(dir_, kMoved), ""));
    }
    ASSIGN_OR_RETURN(std::vector<std::string> made, ListFiles(JoinPath(dir_, kNew)));
    absl::c_stable_partition(made, [](const std::string& file) { return file != kCurrent; });
    for (const std::string& file : made) {
      if (BelongsToStore(file)) {
        RETURN_IF_ERROR(Move(JoinPath(dir_, absl::StrCat(kNew, "/", file)), JoinPath(dir_, file)));
      }
    }
    RETURN_IF_ERROR(RemoveTree(JoinPath(dir_, kMoving)));
    RETURN_IF_ERROR(RemoveTree(JoinPath(dir_, kWork)));
    say_(absl::StrCat("the store can be started; the damaged one and what was set aside are in ",
                      JoinPath(dir_, damaged)));
    return absl::OkStatus();
  }

  // Said to the person, and kept beside the damaged files.
  void Tell(const std::string& line) {
    told_.push_back(ToText(line));
    say_(told_.back());
  }

  const std::string dir_;
  const Say& say_;
  std::vector<std::string> told_;
  Salvage salvage_;
  MendedJournal journal_;
};

}  // namespace

absl::Status RepairStore(const std::string& data_dir, const std::function<void(const std::string&)>& say) {
  return Repair(data_dir, say).Run();
}

}  // namespace mimeo
