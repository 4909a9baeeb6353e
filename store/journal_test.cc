#include "store/journal.h"

#include <signal.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "gtest/gtest.h"
#include "store/rocksdb_store.h"
#include "store/testing/faulty_store.h"

namespace mimeo {
namespace {

using testing::FaultyStore;
using testing::StatusIs;

Event Forgotten(const std::string& worker_id) {
  Event event;
  event.mutable_worker_forgotten()->set_worker_id(worker_id);
  return event;
}

// The worker ids of the events, in order.
absl::StatusOr<std::string> Replayed(KeyValueStore* store) {
  std::string ids;
  Journal journal(store);
  const absl::Status status = journal.Replay([&](const Event& event) {
    ids += event.worker_forgotten().worker_id();
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  EXPECT_EQ(journal.size(), static_cast<int64_t>(ids.size()));
  return ids;
}

absl::Status Ignore(const Event&) { return absl::OkStatus(); }

TEST(JournalTest, ReplaysInOrderAndAppendsBehind) {
  FaultyStore store;
  Journal journal(&store);
  ASSERT_OK(journal.Replay(Ignore));
  EXPECT_EQ(journal.size(), 0);
  ASSERT_OK(journal.Append(Forgotten("a")));
  ASSERT_OK(journal.Append(Forgotten("b")));
  Journal second(&store);
  ASSERT_OK(second.Replay(Ignore));
  EXPECT_EQ(second.size(), 2);
  ASSERT_OK(second.Append(Forgotten("c")));
  ASSERT_OK_AND_ASSIGN(const std::string ids, Replayed(&store));
  EXPECT_EQ(ids, "abc");
}

TEST(JournalTest, AppendIsDurableWithEverythingBuffered) {
  FaultyStore store;
  Journal journal(&store);
  ASSERT_OK(journal.Replay(Ignore));
  WriteBatch chunk;
  chunk.puts.push_back({Family::kChunks, "chunk", "bytes"});
  ASSERT_OK(store.Write(chunk, Durability::kBuffered));
  WriteBatch manifest;
  manifest.puts.push_back({Family::kManifests, "manifest", "it"});
  ASSERT_OK(journal.Append(Forgotten("a"), manifest));
  const auto disk = store.Crash();
  ASSERT_OK_AND_ASSIGN(const std::string ids, Replayed(disk.get()));
  EXPECT_EQ(ids, "a");
  EXPECT_OK(disk->Get(Family::kManifests, "manifest"));
  EXPECT_OK(disk->Get(Family::kChunks, "chunk"));
}

TEST(JournalTest, AFailedAppendLeavesNothingAndTheNextTakesItsPlace) {
  FaultyStore store;
  Journal journal(&store);
  ASSERT_OK(journal.Replay(Ignore));
  ASSERT_OK(journal.Append(Forgotten("a")));
  store.FailWrites(2, 1, absl::ResourceExhaustedError("disk full"));
  WriteBatch manifest;
  manifest.puts.push_back({Family::kManifests, "manifest", "it"});
  EXPECT_THAT(journal.Append(Forgotten("b"), manifest), StatusIs(absl::StatusCode::kResourceExhausted, "disk full"));
  EXPECT_EQ(journal.size(), 1);
  EXPECT_THAT(store.Get(Family::kManifests, "manifest"), StatusIs(absl::StatusCode::kNotFound));
  ASSERT_OK(journal.Append(Forgotten("c")));
  ASSERT_OK_AND_ASSIGN(const std::string ids, Replayed(store.Crash().get()));
  EXPECT_EQ(ids, "ac");
}

// Protobuf writes a text that is not UTF-8, and does not read it again: one such event would be the end of every later
// start.
TEST(JournalTest, AnEventThatWouldNotBeReadBackIsRefusedByField) {
  FaultyStore store;
  Journal journal(&store);
  ASSERT_OK(journal.Replay(Ignore));
  EXPECT_THAT(journal.Append(Forgotten("caf\xe9")),
              StatusIs(absl::StatusCode::kInvalidArgument, "worker_forgotten.worker_id is not UTF-8"));
  Event placed;
  placed.mutable_gang_placed()->add_worker_ids("good");
  placed.mutable_gang_placed()->add_worker_ids("\xff");
  EXPECT_THAT(journal.Append(placed), StatusIs(absl::StatusCode::kInvalidArgument, "gang_placed.worker_ids[1]"));
  Event submitted;
  submitted.mutable_job_submitted()->mutable_spec()->mutable_data()->set_path("/photos/\xc3");
  EXPECT_THAT(journal.Append(submitted), StatusIs(absl::StatusCode::kInvalidArgument, "job_submitted.spec.data.path"));
  EXPECT_THAT(journal.Append(Event()), StatusIs(absl::StatusCode::kInvalidArgument, "would not be read back"));
  EXPECT_EQ(journal.size(), 0);
  ASSERT_OK(journal.Append(Forgotten("a")));
  ASSERT_OK_AND_ASSIGN(const std::string ids, Replayed(&store));
  EXPECT_EQ(ids, "a");
}

TEST(JournalTest, AGapIsDataLossByNumber) {
  FaultyStore store;
  Journal journal(&store);
  ASSERT_OK(journal.Replay(Ignore));
  for (const char* id : {"a", "b", "c"}) ASSERT_OK(journal.Append(Forgotten(id)));
  WriteBatch hole;
  hole.removes.push_back({Family::kJournal, OrderedKey(1)});
  ASSERT_OK(store.Write(hole, Durability::kSynced));
  EXPECT_THAT(Replayed(&store), StatusIs(absl::StatusCode::kDataLoss, "entry 1 is missing; the next one is 2"));
}

TEST(JournalTest, AnUnreadableEntryIsDataLossByNumber) {
  for (const std::string& bytes : {std::string("\xff\xff"), std::string()}) {
    FaultyStore store;
    WriteBatch batch;
    batch.puts.push_back({Family::kJournal, OrderedKey(0), Forgotten("a").SerializeAsString()});
    batch.puts.push_back({Family::kJournal, OrderedKey(1), bytes});
    ASSERT_OK(store.Write(batch, Durability::kSynced));
    EXPECT_THAT(Replayed(&store), StatusIs(absl::StatusCode::kDataLoss, "entry 1"));
  }
}

TEST(JournalTest, AnErrorOfApplyStopsTheReplayAndNamesTheEntry) {
  FaultyStore store;
  Journal journal(&store);
  ASSERT_OK(journal.Replay(Ignore));
  for (const char* id : {"a", "b", "c"}) ASSERT_OK(journal.Append(Forgotten(id)));
  int calls = 0;
  const absl::Status status = journal.Replay([&](const Event& event) {
    ++calls;
    return event.worker_forgotten().worker_id() == "b" ? absl::NotFoundError("worker b") : absl::OkStatus();
  });
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kNotFound, "entry 1: worker b"));
  EXPECT_EQ(calls, 2);
}

// A real process on a real directory, killed before or after each of its writes: an event whose Append returned is
// there.
TEST(JournalTest, SurvivesSigkillAtEveryWrite) {
  for (int64_t kill_at = 1; kill_at <= 3; ++kill_at) {
    const TempDir dir;
    EXPECT_EXIT(
        {
          auto store = OpenRocksDbStore({dir.path()});
          Journal journal(store->get());
          if (!journal.Replay(Ignore).ok()) _exit(1);
          for (int64_t n = 1; n <= 3; ++n) {
            if (!journal.Append(Forgotten(absl::StrCat(n))).ok()) _exit(1);
            if (n == kill_at) raise(SIGKILL);
          }
        },
        ::testing::KilledBySignal(SIGKILL), "");
    ASSERT_OK_AND_ASSIGN(const auto store, OpenRocksDbStore({dir.path()}));
    ASSERT_OK_AND_ASSIGN(const std::string ids, Replayed(store.get()));
    EXPECT_EQ(ids, std::string("123").substr(0, kill_at));
  }
}

// What the events so far led to, of this test: the worker ids, one a record.
std::vector<std::string> Records(const std::string& ids) {
  std::vector<std::string> records = {"the state"};
  for (const char id : ids) records.push_back(std::string(1, id));
  return records;
}

// The worker ids of the snapshot, a bar, and those of the events behind it.
absl::StatusOr<std::string> Loaded(const KeyValueStore& store) {
  std::string ids;
  Journal journal(const_cast<KeyValueStore*>(&store));
  const absl::Status status = journal.Replay(
      [&](const Event& event) {
        ids += event.worker_forgotten().worker_id();
        return absl::OkStatus();
      },
      [&](const JournalSnapshot& snapshot) {
        EXPECT_EQ(snapshot.entries, static_cast<int64_t>(snapshot.records.size()) - 1);
        for (size_t i = 1; i < snapshot.records.size(); ++i) ids += snapshot.records[i];
        ids += "|";
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return ids;
}

int KeysOf(const KeyValueStore& store, Family family) {
  int keys = 0;
  EXPECT_OK(store.Scan(family, "", "", [&](absl::string_view, absl::string_view) { return ++keys > 0; }));
  return keys;
}

TEST(JournalTest, ASnapshotTakesThePlaceOfTheEventsBeforeItAndOfTheSnapshotBefore) {
  FaultyStore store;
  Journal journal(&store);
  ASSERT_OK(journal.Replay(Ignore));
  ASSERT_OK(journal.Cut(Records(""))) << "of nothing: nothing happens";
  EXPECT_EQ(KeysOf(store, Family::kSnapshots), 0);
  for (const char* id : {"a", "b", "c"}) ASSERT_OK(journal.Append(Forgotten(id)));
  ASSERT_OK(journal.Cut(Records("abc")));
  EXPECT_EQ(*Loaded(store), "abc|");
  ASSERT_OK(journal.Append(Forgotten("d")));
  EXPECT_EQ(*Loaded(store), "abc|d");
  ASSERT_OK(journal.Append(Forgotten("e")));
  ASSERT_OK(journal.Cut(Records("abcde")));
  EXPECT_EQ(journal.size(), 5);
  EXPECT_EQ(*Loaded(store), "abcde|");
  EXPECT_EQ(KeysOf(store, Family::kJournal), 1);
  EXPECT_EQ(KeysOf(store, Family::kSnapshots), 1 + 6);
  EXPECT_THAT(journal.Replay(Ignore), StatusIs(absl::StatusCode::kUnimplemented, "its first 5 entries"));
}

std::unique_ptr<KeyValueStore> CopyOf(const KeyValueStore& store) {
  auto copy = OpenRocksDbStore({"copy", /*in_memory=*/true});
  EXPECT_OK(copy);
  for (const Family family : {Family::kJournal, Family::kSnapshots}) {
    WriteBatch batch;
    EXPECT_OK(store.Scan(family, "", "", [&](absl::string_view key, absl::string_view value) {
      batch.puts.push_back({family, std::string(key), std::string(value)});
      return true;
    }));
    EXPECT_OK((*copy)->Write(batch, Durability::kSynced));
  }
  return std::move(*copy);
}

// Many records, which take several writes: a cut, an event, and a cut again.
constexpr int kManyEvents = 2500;

// Whether every write was done; `kept` is what was acknowledged.
bool CutTwice(FaultyStore* store, std::string* kept) {
  Journal journal(store);
  EXPECT_OK(journal.Replay(Ignore, [](const JournalSnapshot&) { return absl::OkStatus(); }));
  if (!journal.Cut(Records(*kept)).ok() || !journal.Append(Forgotten("z")).ok()) return false;
  *kept += "z";
  return journal.Cut(Records(*kept)).ok();
}

TEST(JournalTest, ACutThatLosesPowerAtAnyWriteLosesNothing) {
  FaultyStore before;
  const std::string events(kManyEvents, 'a');
  {
    Journal journal(&before);
    ASSERT_OK(journal.Replay(Ignore));
    for (int i = 0; i < kManyEvents; ++i) ASSERT_OK(journal.Append(Forgotten("a")));
  }
  std::unique_ptr<KeyValueStore> disk = before.Crash();
  for (int64_t at = 1, whole = 0; whole < 2; ++at) {
    for (const int64_t keep : {int64_t{0}, int64_t{1} << 30}) {
      SCOPED_TRACE(absl::StrCat("no power at write ", at, ", unsynced writes kept: ", keep));
      FaultyStore store(CopyOf(*disk));
      store.FailWrites(at, int64_t{1} << 30, absl::UnavailableError("no power"));
      std::string kept = events;
      if (CutTwice(&store, &kept)) ++whole;
      FaultyStore after(store.Crash(keep));
      ASSERT_OK_AND_ASSIGN(std::string loaded, Loaded(after));
      loaded.erase(std::remove(loaded.begin(), loaded.end(), '|'), loaded.end());
      ASSERT_EQ(loaded, kept);
      ASSERT_TRUE(CutTwice(&after, &kept)) << "the next cut is none the worse";
      EXPECT_EQ(KeysOf(after, Family::kSnapshots), 2 + static_cast<int>(kept.size()));
      EXPECT_EQ(KeysOf(after, Family::kJournal), 1);
    }
    ASSERT_LT(at, 100);
  }
}

TEST(JournalTest, ACutOnAFullDiskLeavesNothingBehind) {
  for (int64_t fail_at = 4; fail_at <= 6; ++fail_at) {  // the mark, the records, the head
    FaultyStore store;
    Journal journal(&store);
    ASSERT_OK(journal.Replay(Ignore));
    for (const char* id : {"a", "b", "c"}) ASSERT_OK(journal.Append(Forgotten(id)));
    store.FailWrites(fail_at, 1, absl::ResourceExhaustedError("disk full"));
    EXPECT_THAT(journal.Cut(Records("abc")), StatusIs(absl::StatusCode::kResourceExhausted, "disk full"));
    EXPECT_EQ(KeysOf(store, Family::kSnapshots), 0) << fail_at;
    EXPECT_EQ(*Loaded(store), "abc");
    ASSERT_OK(journal.Append(Forgotten("d")));
    ASSERT_OK(journal.Cut(Records("abcd")));
    EXPECT_EQ(*Loaded(store), "abcd|");
  }
}

// What the disk of a store holds that lost its power in the middle of a cut, and nothing was removed since.
TEST(JournalTest, AnUnfinishedSnapshotDoesNotCount) {
  FaultyStore store;
  Journal journal(&store);
  ASSERT_OK(journal.Replay(Ignore));
  for (const char* id : {"a", "b"}) ASSERT_OK(journal.Append(Forgotten(id)));
  ASSERT_OK(journal.Cut(Records("ab")));
  ASSERT_OK(journal.Append(Forgotten("c")));
  const int64_t head = store.writes() + 3;
  store.FailWrites(head, int64_t{1} << 30, absl::UnavailableError("no power"));
  EXPECT_FALSE(journal.Cut(Records("abc")).ok());
  const std::unique_ptr<KeyValueStore> disk = store.Crash(/*keep=*/1 << 30);
  EXPECT_TRUE(IsUnfinishedSnapshot(*disk, 3));
  EXPECT_FALSE(IsUnfinishedSnapshot(*disk, 2));
  EXPECT_EQ(*Loaded(*disk), "ab|c");
}

// The power goes while the part of a snapshot that did not fit is being removed.
TEST(JournalTest, AnUnfinishedSnapshotThatIsRemovedInPartDoesNotCount) {
  for (int64_t keep = 0, unsynced = 1; keep <= unsynced; ++keep) {
    FaultyStore store;
    Journal journal(&store);
    ASSERT_OK(journal.Replay(Ignore));
    ASSERT_OK(journal.Append(Forgotten("a")));
    const std::string many(kManyEvents, 'r');
    const int64_t head = store.writes() + 2 + (kManyEvents + 1 + 999) / 1000;
    store.FailWrites(head, 1, absl::ResourceExhaustedError("disk full"));
    EXPECT_THAT(journal.Cut(Records(many)), StatusIs(absl::StatusCode::kResourceExhausted, "disk full"));
    unsynced = store.unsynced();
    EXPECT_EQ(unsynced, 6) << "three writes of records, and three that remove them";
    EXPECT_EQ(*Loaded(*store.Crash(keep)), "a") << "kept " << keep << " of " << unsynced;
  }
}

// How the coordinator cuts: another journal of the same store, while this one goes on.
void ExpectOtherCuts(const JournalBounds& bounds) {
  const auto worker = [](char id) { return Forgotten(std::string(30, id)); };
  FaultyStore store;
  Journal journal(&store, bounds);
  ASSERT_OK(journal.Replay(Ignore));
  for (const char id : {'a', 'b', 'c'}) ASSERT_OK(journal.Append(worker(id)));
  EXPECT_TRUE(journal.IsLong());
  Journal other(&store);
  ASSERT_OK(other.Replay(Ignore));
  ASSERT_OK(journal.Append(worker('d')));
  ASSERT_OK_AND_ASSIGN(const JournalCut cut, other.Cut(Records("abc")));
  ASSERT_OK(journal.Append(worker('e')));
  journal.NoteCut(cut);
  EXPECT_EQ(journal.size(), 5);
  EXPECT_EQ(journal.num_in_snapshot(), 3);
  EXPECT_FALSE(journal.IsLong()) << "two are behind the snapshot";
  ASSERT_OK(journal.Append(worker('f')));
  EXPECT_TRUE(journal.IsLong());
  EXPECT_EQ(*Loaded(store), absl::StrCat("abc|", std::string(30, 'd'), std::string(30, 'e'), std::string(30, 'f')));
  journal.NoteFailedCut();
  EXPECT_FALSE(journal.IsLong()) << "not at once again";
}

TEST(JournalTest, AnotherJournalOfTheStoreCutsWhileThisOneAppends) {
  ExpectOtherCuts({/*entries=*/3, /*bytes=*/1 << 20});
  ExpectOtherCuts({/*entries=*/1000, /*bytes=*/100});
}

TEST(JournalTest, SurvivesSigkillAtEveryCut) {
  for (int64_t kill_at = 1; kill_at <= 4; ++kill_at) {
    const TempDir dir;
    EXPECT_EXIT(
        {
          auto store = OpenRocksDbStore({dir.path()});
          Journal journal(store->get());
          if (!journal.Replay(Ignore).ok()) _exit(1);
          std::string ids;
          for (int64_t n = 1; n <= 4; ++n) {
            ids += absl::StrCat(n);
            if (!journal.Append(Forgotten(absl::StrCat(n))).ok() || !journal.Cut(Records(ids)).ok()) _exit(1);
            if (n == kill_at) raise(SIGKILL);
          }
        },
        ::testing::KilledBySignal(SIGKILL), "");
    ASSERT_OK_AND_ASSIGN(const auto store, OpenRocksDbStore({dir.path()}));
    EXPECT_EQ(*Loaded(*store), std::string("1234").substr(0, kill_at) + "|");
  }
}

TEST(JournalTest, IsLongBeyondItsBoundsButNotShorterThanItsSnapshot) {
  FaultyStore store;
  Journal journal(&store, {/*entries=*/2, /*bytes=*/1 << 20});
  ASSERT_OK(journal.Replay(Ignore));
  ASSERT_OK(journal.Append(Forgotten("a")));
  EXPECT_FALSE(journal.IsLong());
  ASSERT_OK(journal.Append(Forgotten("b")));
  EXPECT_TRUE(journal.IsLong());
  store.FailWrites(store.writes() + 1, 1, absl::ResourceExhaustedError("disk full"));
  EXPECT_FALSE(journal.Cut({"x"}).ok());
  EXPECT_TRUE(journal.IsLong());
  ASSERT_OK(journal.Cut({std::string(500, 'x')}));
  for (int i = 0; i < 20; ++i) ASSERT_OK(journal.Append(Forgotten("a")));
  EXPECT_FALSE(journal.IsLong()) << "20 short events against 500 bytes";
  ASSERT_OK(journal.Append(Forgotten(std::string(500, 'w'))));
  EXPECT_TRUE(journal.IsLong());

  FaultyStore other;
  Journal bytes(&other, {/*entries=*/1000, /*bytes=*/100});
  ASSERT_OK(bytes.Replay(Ignore));
  ASSERT_OK(bytes.Append(Forgotten(std::string(99, 'w'))));
  EXPECT_TRUE(bytes.IsLong());
}

TEST(JournalTest, ADamagedSnapshotIsRefusedByNameAndNeverTakenForLess) {
  FaultyStore good;
  Journal journal(&good);
  ASSERT_OK(journal.Replay(Ignore));
  for (const char* id : {"a", "b", "c", "d"}) ASSERT_OK(journal.Append(Forgotten(id)));
  ASSERT_OK(journal.Cut(Records("abcd")));
  std::vector<std::string> keys;
  ASSERT_OK(good.Scan(Family::kSnapshots, "", "", [&](absl::string_view key, absl::string_view) {
    keys.push_back(std::string(key));
    return true;
  }));
  ASSERT_EQ(keys.size(), 6u);
  for (const std::string& key : keys) {
    for (const bool removed : {true, false}) {
      WriteBatch damage, mend;
      mend.puts.push_back({Family::kSnapshots, key, good.Get(Family::kSnapshots, key).value()});
      if (removed) {
        damage.removes.push_back({Family::kSnapshots, key});
      } else {
        damage.puts.push_back({Family::kSnapshots, key, "z"});
      }
      ASSERT_OK(good.Write(damage, Durability::kSynced));
      EXPECT_THAT(Loaded(good), StatusIs(absl::StatusCode::kDataLoss, "the snapshot of its first 4 entries"));
      ASSERT_OK(good.Write(mend, Durability::kSynced));
      EXPECT_EQ(*Loaded(good), "abcd|");
    }
  }
  WriteBatch all;
  for (const std::string& key : keys) all.removes.push_back({Family::kSnapshots, key});
  ASSERT_OK(good.Write(all, Durability::kSynced));
  EXPECT_THAT(Loaded(good), StatusIs(absl::StatusCode::kDataLoss, "entry 0 is missing; the next one is 3"))
      << "no new store";
}

}  // namespace
}  // namespace mimeo
