// Every file of a store, damaged in every region: it is opened with everything, or refused by name; never with less.
#include <algorithm>
#include <filesystem>
#include <functional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "gtest/gtest.h"
#include "store/checkpoint_store.h"
#include "store/journal.h"
#include "store/metric_store.h"
#include "store/rocksdb_store.h"

namespace mimeo {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kChunk = 6000;  // larger than what RocksDB keeps in its tables: these are blobs
constexpr int kEvents = 24;

Event EventOf(int number) {
  Event event;
  event.mutable_worker_forgotten()->set_worker_id(absl::StrCat("w", number));
  event.mutable_worker_forgotten()->set_reason(std::string(20 + number * 13 % 200, 'r'));
  return event;
}

std::string ChunkOf(int64_t step, int index) {
  std::string bytes;
  for (int64_t i = 0; i < kChunk; ++i) bytes += static_cast<char>((i * (step + 3) + index) % 251);
  return bytes;
}

// The state after the first `entries` events, of this test: each of them.
std::vector<std::string> RecordsOf(int64_t entries) {
  std::vector<std::string> records;
  for (int64_t i = 0; i < entries; ++i) records.push_back(EventOf(static_cast<int>(i)).SerializeAsString());
  return records;
}

// A third of a store's life: events, metrics of job j1 and a checkpoint; then, if asked for, a snapshot in the place of
// the events. The last write is a synced one.
void Live(KeyValueStore* store, int third, bool cut) {
  Journal journal(store);
  ASSERT_OK(journal.Replay([](const Event&) { return absl::OkStatus(); },
                           [](const JournalSnapshot&) { return absl::OkStatus(); }));
  MetricStore metrics(store);
  CheckpointStore checkpoints(store);
  for (int i = 0; i < kEvents / 3 - 1; ++i) {
    StepMetrics step;
    step.set_step(journal.size() + 1);
    step.set_loss(0.5 * journal.size());
    ASSERT_OK(metrics.PutSteps("j1", {step}));
    ASSERT_OK(journal.Append(EventOf(journal.size())));
  }
  CheckpointManifest manifest;
  manifest.set_job_id("j1");
  manifest.set_step(10 * (third + 1));
  manifest.set_content_id("c");
  manifest.set_chunk_bytes(kChunk);
  manifest.set_total_bytes(2 * kChunk);
  for (int index = 0; index < 2; ++index) {
    const std::string bytes = ChunkOf(manifest.step(), index);
    manifest.add_chunk_sha256(Sha256(bytes));
    ASSERT_OK(checkpoints.PutChunk({"j1", manifest.step(), "c", index}, Sha256(bytes), bytes));
  }
  ASSERT_OK_AND_ASSIGN(const WriteBatch batch, checkpoints.CommitBatch(manifest));
  ASSERT_OK(journal.Append(EventOf(journal.size()), batch));
  if (cut) {
    ASSERT_OK(journal.Cut(RecordsOf(journal.size())));
  }
}

// A store that was opened three times, so that tables, blobs and a log hold a part each; with a snapshot at the end of
// the third `cut`. `end` sees it before it is closed.
void MakeStore(const std::string& dir, int cut, const std::function<void()>& end) {
  for (int third = 0; third < 3; ++third) {
    ASSERT_OK_AND_ASSIGN(const auto store, OpenRocksDbStore({dir}));
    Live(store.get(), third, third == cut);
    if (third == 2) end();
  }
}

// Which of everything is there and the same; what says why it is not counts as there.
struct Outcome {
  std::vector<std::string> silent;    // is missing or differs, and nothing says so
  std::vector<std::string> refusals;  // what was said
};

void Expect(const absl::Status& status, bool same, const std::string& what, Outcome* outcome) {
  if (!status.ok()) {
    outcome->refusals.push_back(std::string(status.message()));
  } else if (!same) {
    outcome->silent.push_back(what);
  }
}

Outcome Look(const std::string& dir) {
  Outcome outcome;
  const auto store = OpenRocksDbStore({dir});
  if (!store.ok()) {
    Expect(store.status(), false, "", &outcome);
    return outcome;
  }
  Journal journal(store->get());
  int count = 0;
  bool same = true;
  const auto apply = [&](const Event& event) {
    same = same && event.SerializeAsString() == EventOf(count++).SerializeAsString();
    return absl::OkStatus();
  };
  const absl::Status replayed = journal.Replay(apply, [&](const JournalSnapshot& snapshot) {
    count = static_cast<int>(snapshot.entries);
    same = snapshot.records == RecordsOf(snapshot.entries);
    return absl::OkStatus();
  });
  Expect(replayed, same && count == kEvents, absl::StrCat("journal: ", count, " entries"), &outcome);
  const MetricStore metrics(store->get());
  const auto steps = metrics.Steps("j1", 0, 1000);
  Expect(steps.status(), steps.ok() && steps->size() == kEvents - 3, "metrics", &outcome);
  const CheckpointStore checkpoints(store->get());
  const auto manifests = checkpoints.ListManifests("j1");
  Expect(manifests.status(), manifests.ok() && manifests->size() == 3, "manifests", &outcome);
  for (size_t m = 0; manifests.ok() && m < manifests->size(); ++m) {
    for (int index = 0; index < 2; ++index) {
      const auto chunk = checkpoints.GetChunk((*manifests)[m], index);
      Expect(chunk.status(), chunk.ok() && *chunk == ChunkOf((*manifests)[m].step(), index), "a chunk", &outcome);
    }
  }
  return outcome;
}

std::vector<std::string> FilesOf(const std::string& dir) {
  std::vector<std::string> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(dir)) files.push_back(entry.path().filename());
  std::sort(files.begin(), files.end());
  return files;
}

class DamageTest : public ::testing::Test {
 protected:
  // The store with one file replaced by `bytes`, or without it.
  Outcome With(const std::string& file, const std::string* bytes) {
    const std::string damaged = absl::StrCat(scratch_.path(), "/", ++copies_);
    fs::copy(good_.path(), damaged);
    EXPECT_OK(RemoveTree(JoinPath(damaged, file)));
    if (bytes != nullptr) {
      EXPECT_OK(WriteFileAtomic(JoinPath(damaged, file), *bytes));
    }
    const Outcome outcome = Look(damaged);
    EXPECT_OK(RemoveTree(damaged));
    return outcome;
  }

  void ExpectNothingSilent(const std::string& file, const std::string* bytes, const std::string& how) {
    const Outcome outcome = With(file, bytes);
    for (const std::string& what : outcome.silent) ADD_FAILURE() << file << " " << how << ": silently less: " << what;
    for (const std::string& refusal : outcome.refusals) {
      const bool named = absl::StrContains(refusal, ".log") || absl::StrContains(refusal, ".sst") ||
                         absl::StrContains(refusal, ".blob") || absl::StrContains(refusal, "MANIFEST") ||
                         absl::StrContains(refusal, "CURRENT") || absl::StrContains(refusal, "chunk") ||
                         absl::StrContains(refusal, "entry") || absl::StrContains(refusal, "snapshot");
      EXPECT_TRUE(named) << file << " " << how << ": says only: " << refusal;
    }
    if (!IsHarmless(file) || outcome.refusals.empty()) return;
    ADD_FAILURE() << file << " " << how << ": refused, though nothing is lost: " << outcome.refusals.front();
  }

  // In every region: flipped, zeroed, cut off; and the file gone.
  void DamageEachRegion(const std::string& file) {
    const auto read = ReadFile(JoinPath(good_.path(), file));
    ASSERT_OK(read);
    const std::string& good = *read;
    ExpectNothingSilent(file, nullptr, "is gone");
    const size_t stride = std::max<size_t>(1, good.size() / (IsHarmless(file) ? 2 : kRegions));
    for (size_t at = 0; at < good.size(); at += stride) {
      // The byte in the region moves, so that headers, lengths, types and payloads are all met.
      const size_t byte = std::min(good.size() - 1, at + (at / stride * 7) % stride);
      std::string flipped = good;
      flipped[byte] = static_cast<char>(flipped[byte] ^ 0x10);
      ExpectNothingSilent(file, &flipped, absl::StrCat("with byte ", byte, " of ", good.size(), " flipped"));
      const std::string cut = good.substr(0, byte);
      ExpectNothingSilent(file, &cut, absl::StrCat("cut to ", byte, " of ", good.size(), " bytes"));
      std::string zeroed = good;
      std::fill(zeroed.begin() + byte, zeroed.begin() + std::min(byte + 512, good.size()), '\0');
      if (zeroed != good) {
        ExpectNothingSilent(file, &zeroed, absl::StrCat("with zeros from byte ", byte, " of ", good.size()));
      }
    }
    std::string last = good;
    if (last.empty()) return;
    last.back() = static_cast<char>(last.back() ^ 0x01);
    ExpectNothingSilent(file, &last, "with its last byte flipped");
    last.pop_back();
    ExpectNothingSilent(file, &last, "without its last byte");
  }

  void DamageEachFile() {
    ASSERT_TRUE(With("no such file", nullptr).refusals.empty()) << "undamaged it is opened";
    ASSERT_TRUE(With("no such file", nullptr).silent.empty());
    for (const std::string& file : FilesOf(good_.path())) DamageEachRegion(file);
  }

  // Files whose loss costs nothing: the store is opened with everything then.
  static bool IsHarmless(const std::string& file) {
    return file == "LOCK" || file == "SYNCED" || file == "IDENTITY" || absl::StartsWith(file, "OPTIONS");
  }

  static constexpr size_t kRegions = 8;
  const TempDir good_;
  const TempDir scratch_;
  int copies_ = 0;
};

TEST_F(DamageTest, AClosedStoreIsThereWithEverythingOrRefused) {
  MakeStore(good_.path(), /*cut=*/1, [] {});
  DamageEachFile();
}

// As SIGKILL leaves it: what a process wrote is there, nothing was closed.
TEST_F(DamageTest, AKilledStoreIsThereWithEverythingOrRefused) {
  const TempDir live;
  MakeStore(live.path(), /*cut=*/2, [&] {
    fs::copy(live.path(), good_.path(), fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  });
  DamageEachFile();
}

// Behind the last synced record something was being written when the machine stopped: that, and only that, is dropped.
TEST_F(DamageTest, ARecordThatNobodyWasToldOfIsDropped) {
  MakeStore(good_.path(), /*cut=*/0, [] {});
  for (const std::string& file : FilesOf(good_.path())) {
    if (!absl::EndsWith(file, ".log")) continue;
    ASSERT_OK_AND_ASSIGN(const std::string good, ReadFile(JoinPath(good_.path(), file)));
    for (const std::string& torn :
         {std::string("\x12"), std::string("\x12\x34\x56\x78\x40\x00\x01half a record", 20), std::string(5000, '\0')}) {
      const std::string bytes = good + torn;
      const Outcome outcome = With(file, &bytes);
      EXPECT_TRUE(outcome.refusals.empty()) << outcome.refusals.front();
      EXPECT_TRUE(outcome.silent.empty()) << outcome.silent.front();
    }
  }
}

}  // namespace
}  // namespace mimeo
