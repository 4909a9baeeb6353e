// `coordinator --repair` on real directories that were damaged.
#include "coordinator/repair.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "coordinator/testing/cluster_script.h"
#include "store/journal.h"
#include "store/rocksdb_store.h"

namespace mimeo {
namespace {

namespace fs = std::filesystem;

using testing::ClusterScript;
using ::testing::Contains;
using ::testing::HasSubstr;
using testing::StatusIs;

class RepairTest : public ::testing::Test {
 protected:
  // Forty jobs, of which j1 has two checkpoints; opened twice, so that tables and a log hold a part each.
  RepairTest() : state_(dir_.path() + "/state") {
    WithScript([](ClusterScript* script) {
      script->Run("worker w0 slots=1");
      for (int i = 1; i <= 20; ++i) script->Run(absl::StrCat("submit j", i, " ranks=1"));
      script->Run("upload j1 step=10");
      script->Run("commit j1 generation=1 step=10");
      script->Run("report j1 generation=1 step=12");
    });
    WithScript([](ClusterScript* script) {
      for (int i = 21; i <= 40; ++i) script->Run(absl::StrCat("submit j", i, " ranks=1"));
      script->Run("upload j1 step=20");
      script->Run("commit j1 generation=1 step=20");
    });
  }

  void WithScript(const std::function<void(ClusterScript*)>& act, const JournalBounds& bounds = {}) {
    const auto store = OpenRocksDbStore({state_});
    ASSERT_OK(store);
    ClusterScript script(store->get(), absl::Seconds(60), bounds);
    act(&script);
  }
  // A snapshot takes the place of all events so far; one more job stands behind it.
  void Cut() {
    WithScript([](ClusterScript*) {}, {/*entries=*/1, /*bytes=*/1});
    WithScript([](ClusterScript* script) { script->Run("submit j41 ranks=1"); });
  }

  // Runs it; what it said is in said_.
  absl::Status Repaired() {
    said_.clear();
    return RepairStore(state_, [this](const std::string& line) { said_.push_back(line); });
  }
  // How many jobs a coordinator sees that starts now, and the newest checkpoint of j1.
  std::pair<size_t, int64_t> Started() {
    std::pair<size_t, int64_t> seen;
    WithScript([&](ClusterScript* script) {
      seen.first = script->Jobs().size();
      const auto job = script->core().GetJob("j1");
      EXPECT_OK(job);
      seen.second = job->checkpoint_step();
      const auto manifest = script->core().checkpoints().GetManifest("j1", seen.second);
      EXPECT_OK(manifest);
      EXPECT_OK(script->core().checkpoints().GetChunk(*manifest, 0));
      EXPECT_EQ(script->Replayed(), script->core().StateForTest());
      const auto steps = script->core().step_metrics().Steps("j1", 0, 100);
      EXPECT_TRUE((steps.ok() && steps->size() == 1) || absl::StrContains(Said(), "metrics")) << Said();
    });
    return seen;
  }

  std::vector<std::string> Files(const std::string& end) {
    std::vector<std::string> files;
    for (const fs::directory_entry& entry : fs::directory_iterator(state_)) {
      if (absl::EndsWith(entry.path().string(), end) || absl::StrContains(entry.path().filename().string(), end)) {
        files.push_back(entry.path());
      }
    }
    std::sort(files.begin(), files.end());
    return files;
  }
  void Flip(const std::string& path, double part) {
    auto bytes = ReadFile(path);
    ASSERT_OK(bytes);
    char& byte = (*bytes)[static_cast<size_t>(bytes->size() * part)];
    byte = static_cast<char>(byte ^ 0x20);
    ASSERT_OK(WriteFileAtomic(path, *bytes));
  }
  std::string Said() const { return absl::StrJoin(said_, "\n"); }

  void LoseEachFile(size_t jobs_whole) {
    for (const std::string& file : Files("")) {
      for (const bool gone : {true, false}) {
        SCOPED_TRACE(absl::StrCat(file, gone ? " gone" : " flipped"));
        if (fs::file_size(file) == 0) continue;
        const std::string copy = dir_.path() + "/copy";
        ASSERT_OK(RemoveTree(copy));
        fs::copy(state_, copy);
        if (gone) {
          ASSERT_OK(RemoveTree(JoinPath(copy, fs::path(file).filename().string())));
        } else {
          Flip(JoinPath(copy, fs::path(file).filename().string()), 0.4);
        }
        std::vector<std::string> said;
        ASSERT_OK(RepairStore(copy, [&](const std::string& line) { said.push_back(line); }));
        ASSERT_OK_AND_ASSIGN(const auto store, OpenRocksDbStore({copy}));
        ClusterScript script(store.get(), absl::Seconds(60));
        EXPECT_EQ(script.Replayed(), script.core().StateForTest());
        const size_t jobs = script.Jobs().size();
        EXPECT_TRUE(jobs == jobs_whole || said.size() > 1) << absl::StrJoin(said, "\n");
        EXPECT_GE(jobs, 20u) << absl::StrJoin(said, "\n");
      }
    }
  }

  const TempDir dir_;
  const std::string state_;
  std::vector<std::string> said_;
};

TEST_F(RepairTest, AWholeStoreIsLeftAsItIs) {
  const auto files = Files("");
  std::vector<fs::file_time_type> times;
  for (const std::string& file : files) times.push_back(fs::last_write_time(file));
  ASSERT_OK(Repaired());
  EXPECT_THAT(Said(), HasSubstr("is not damaged"));
  EXPECT_THAT(Said(), HasSubstr("40 jobs): nothing was changed"));
  EXPECT_EQ(Files(""), files);
  for (size_t i = 0; i < files.size(); ++i) {
    EXPECT_TRUE(absl::EndsWith(files[i], "LOCK") || fs::last_write_time(files[i]) == times[i]) << files[i];
  }
  EXPECT_EQ(Started(), std::make_pair(size_t{40}, int64_t{20}));
}

TEST_F(RepairTest, ADamagedLogCostsTheDamagedEntryAndSaysWhich) {
  const std::string log = Files(".log").back();
  Flip(log, 0.5);
  const absl::Status refused = OpenRocksDbStore({state_}).status();
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kDataLoss, fs::path(log).filename().string()));
  ASSERT_OK(Repaired());
  EXPECT_THAT(said_, Contains(HasSubstr(" are lost"))) << Said();
  EXPECT_THAT(said_, Contains(HasSubstr("journal entry "))) << Said();
  EXPECT_THAT(said_, Contains(HasSubstr("is listed as cancelled"))) << Said();
  EXPECT_EQ(Started(), std::make_pair(size_t{40}, int64_t{20})) << Said();
  EXPECT_EQ(Files("damaged-1").size(), 1u);
  EXPECT_TRUE(FileExists(state_ + "/damaged-1/REPAIR"));
  ASSERT_OK(Repaired());
  EXPECT_THAT(Said(), HasSubstr("is not damaged")) << "once is enough";
}

TEST_F(RepairTest, ASecondDamageLeavesWhatWasPutAsideForTheFirst) {
  for (const char* const kept : {"/damaged-1", "/damaged-2"}) {
    Flip(Files(".log").back(), 0.5);
    ASSERT_OK(Repaired());
    EXPECT_THAT(Said(), HasSubstr(kept));
    EXPECT_TRUE(FileExists(state_ + kept + "/CURRENT"));
    WithScript([&](ClusterScript* script) { script->Run("submit j41 ranks=1"); });
  }
  EXPECT_TRUE(FileExists(state_ + "/damaged-1/REPAIR"));
}

TEST_F(RepairTest, AnEntryThatIsNoEventIsSetAsideWithItsBytes) {
  {
    ASSERT_OK_AND_ASSIGN(const auto store, OpenRocksDbStore({state_}));
    WriteBatch batch;
    batch.puts.push_back({Family::kJournal, OrderedKey(9), "caf\xe9"});
    batch.removes.push_back({Family::kJournal, OrderedKey(12)});
    ASSERT_OK(store->Write(batch, Durability::kSynced));
  }
  ASSERT_OK(Repaired());
  EXPECT_THAT(said_, Contains("journal entry 9 (no event, 4 bytes) is set aside: 4 bytes are no event")) << Said();
  EXPECT_THAT(said_, Contains(HasSubstr("journal entry 12 (missing, 0 bytes)"))) << Said();
  ASSERT_OK_AND_ASSIGN(const std::string bytes, ReadFile(state_ + "/damaged-1/entry-9"));
  EXPECT_EQ(bytes, "caf\xe9");
  EXPECT_EQ(Started(), std::make_pair(size_t{40}, int64_t{20}));
}

TEST_F(RepairTest, ALostOrDamagedCurrentCostsNothing) {
  for (const bool gone : {true, false}) {
    if (gone) {
      ASSERT_OK(RemoveTree(state_ + "/CURRENT"));
    } else {
      Flip(state_ + "/CURRENT", 0.9);
    }
    ASSERT_OK(Repaired());
    EXPECT_EQ(Started(), std::make_pair(size_t{40}, int64_t{20})) << Said();
  }
}

TEST_F(RepairTest, WithoutAManifestTablesBlobsAndLogsAreGathered) {
  for (const bool gone : {true, false}) {
    const std::string manifest = Files("MANIFEST").back();
    if (gone) {
      ASSERT_OK(RemoveTree(manifest));
    } else {
      Flip(manifest, 0.5);
    }
    ASSERT_OK(Repaired());
    EXPECT_EQ(Started(), std::make_pair(size_t{40}, int64_t{20})) << Said();
  }
}

TEST_F(RepairTest, OfASnapshotTheReadableRecordsAreKept) {
  Cut();
  ASSERT_OK(Repaired());
  EXPECT_THAT(Said(), HasSubstr("41 jobs): nothing was changed"));
  {
    ASSERT_OK_AND_ASSIGN(const auto store, OpenRocksDbStore({state_}));
    ASSERT_OK_AND_ASSIGN(const JournalSnapshot snapshot, ReadSnapshot(*store));
    WriteBatch batch;
    // The counts come first, then j1, j10, j11.
    batch.puts.push_back({Family::kSnapshots, absl::StrCat(OrderedKey(snapshot.entries), OrderedKey(4)), "caf\xe9"});
    ASSERT_OK(store->Write(batch, Durability::kSynced));
    EXPECT_THAT(ReadSnapshot(*store).status(), StatusIs(absl::StatusCode::kDataLoss, "do not match their digest"));
  }
  ASSERT_OK(Repaired());
  EXPECT_THAT(said_, Contains(HasSubstr("the snapshot of its first "))) << Said();
  EXPECT_THAT(said_, Contains("snapshot record 4 (unreadable, 4 bytes) is set aside: it cannot be read")) << Said();
  ASSERT_OK_AND_ASSIGN(const std::string bytes, ReadFile(state_ + "/damaged-1/record-4"));
  EXPECT_EQ(bytes, "caf\xe9");
  EXPECT_EQ(Started(), std::make_pair(size_t{40}, int64_t{20})) << "of 41 without j11";
  ASSERT_OK(Repaired());
  EXPECT_THAT(Said(), HasSubstr("is not damaged")) << "once is enough";
}

// Whatever is lost with one of these files: what is left is started from, and what is lost is said.
TEST_F(RepairTest, WithoutOneOfItsFilesWhatIsLeftIsStartedFrom) { LoseEachFile(40); }

TEST_F(RepairTest, LikewiseWithASnapshot) {
  Cut();
  LoseEachFile(41);
}

TEST_F(RepairTest, AHeldOrAbsentStoreIsRefused) {
  EXPECT_THAT(RepairStore(dir_.path() + "/nowhere", [](const std::string&) {}),
              StatusIs(absl::StatusCode::kNotFound, "nowhere"));
  EXPECT_THAT(RepairStore(dir_.path(), [](const std::string&) {}),
              StatusIs(absl::StatusCode::kNotFound, "holds no store"));
  ASSERT_OK_AND_ASSIGN(const auto store, OpenRocksDbStore({state_}));
  EXPECT_THAT(Repaired(), StatusIs(absl::StatusCode::kUnavailable, "held by another process"));
}

// The machine stops while the new files are put in place: nothing starts until the next repair has gone on.
TEST_F(RepairTest, ARepairThatWasStoppedIsFinishedByTheNext) {
  Flip(Files(".log").back(), 0.5);
  const std::string before = dir_.path() + "/before";
  fs::copy(state_, before);
  ASSERT_OK(Repaired());
  // As after a stop between the two moves: the old files are away, one of the new ones is there.
  const std::string stopped = dir_.path() + "/stopped";
  ASSERT_OK(MakeDirs(stopped + "/repair/new"));
  for (const fs::directory_entry& entry : fs::directory_iterator(state_)) {
    if (entry.is_directory() || entry.path().filename() == "LOCK") continue;
    const bool moved = entry.path().extension() == ".log";
    fs::copy(entry.path(), stopped + (moved ? "/" : "/repair/new/") + entry.path().filename().string());
  }
  fs::copy(before, stopped + "/damaged-1");
  ASSERT_OK(WriteFileAtomic(stopped + "/repair/moving_to", "damaged-1"));
  ASSERT_OK(WriteFileAtomic(stopped + "/repair/moved", ""));
  EXPECT_THAT(OpenRocksDbStore({stopped}).status(), StatusIs(absl::StatusCode::kDataLoss, "CURRENT is missing"));
  ASSERT_OK(RepairStore(stopped, [](const std::string&) {}));
  EXPECT_FALSE(FileExists(stopped + "/repair"));
  ASSERT_OK_AND_ASSIGN(const auto store, OpenRocksDbStore({stopped}));
  ClusterScript script(store.get(), absl::Seconds(60));
  EXPECT_EQ(script.Jobs().size(), 40u);
}

}  // namespace
}  // namespace mimeo
