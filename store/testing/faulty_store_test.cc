#include "store/testing/faulty_store.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "base/testing/status_matchers.h"
#include "gtest/gtest.h"

namespace mimeo::testing {
namespace {

WriteBatch Put(const std::string& key) {
  WriteBatch batch;
  batch.puts.push_back({Family::kJournal, key, "v"});
  return batch;
}

std::string Keys(const KeyValueStore& store) {
  std::string keys;
  EXPECT_OK(store.Scan(Family::kJournal, "", "", [&](absl::string_view key, absl::string_view) {
    absl::StrAppend(&keys, key);
    return true;
  }));
  return keys;
}

TEST(FaultyStoreTest, ACrashForgetsWhatWasWrittenAfterTheLastSync) {
  FaultyStore store;
  ASSERT_OK(store.Write(Put("a"), Durability::kBuffered));
  ASSERT_OK(store.Write(Put("b"), Durability::kSynced));
  ASSERT_OK(store.Write(Put("c"), Durability::kBuffered));
  ASSERT_OK(store.Write(Put("d"), Durability::kBuffered));
  EXPECT_EQ(Keys(store), "abcd");
  EXPECT_EQ(store.unsynced(), 2);
  EXPECT_EQ(Keys(*store.Crash()), "ab") << "the sync of b covers a, which lies before it in the log";
  EXPECT_THAT(store.Get(Family::kJournal, "a"), StatusIs(absl::StatusCode::kUnavailable, "crashed"));
  EXPECT_THAT(store.Write(Put("e"), Durability::kSynced), StatusIs(absl::StatusCode::kUnavailable));
}

TEST(FaultyStoreTest, ACrashMayKeepTheFirstOfTheUnsyncedWrites) {
  for (int keep = 0; keep <= 4; ++keep) {
    FaultyStore store;
    ASSERT_OK(store.Write(Put("a"), Durability::kSynced));
    for (const char* key : {"b", "c", "d"}) ASSERT_OK(store.Write(Put(key), Durability::kBuffered));
    EXPECT_EQ(Keys(*store.Crash(keep)), std::string("abcd").substr(0, 1 + keep));
  }
}

TEST(FaultyStoreTest, RemovalsAreForgottenToo) {
  FaultyStore store;
  ASSERT_OK(store.Write(Put("a"), Durability::kSynced));
  WriteBatch removal;
  removal.removes.push_back({Family::kJournal, "a"});
  ASSERT_OK(store.Write(removal, Durability::kBuffered));
  EXPECT_EQ(Keys(store), "");
  EXPECT_EQ(Keys(*store.Crash()), "a");
}

TEST(FaultyStoreTest, GoesOnFromWhatACrashLeft) {
  FaultyStore first;
  ASSERT_OK(first.Write(Put("a"), Durability::kSynced));
  FaultyStore second(first.Crash());
  EXPECT_EQ(Keys(second), "a");
  ASSERT_OK(second.Write(Put("b"), Durability::kBuffered));
  EXPECT_EQ(Keys(*second.Crash()), "a");
}

TEST(FaultyStoreTest, TheGivenWritesFailAndLeaveNothing) {
  FaultyStore store;
  store.FailWrites(2, 2, absl::ResourceExhaustedError("disk full"));
  EXPECT_OK(store.Write(Put("a"), Durability::kSynced));
  EXPECT_THAT(store.Write(Put("b"), Durability::kSynced), StatusIs(absl::StatusCode::kResourceExhausted, "disk full"));
  EXPECT_THAT(store.Write(Put("c"), Durability::kBuffered), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_OK(store.Write(Put("d"), Durability::kSynced));
  EXPECT_EQ(Keys(store), "ad");
  EXPECT_EQ(store.writes(), 4);
  EXPECT_EQ(Keys(*store.Crash()), "ad");
}

TEST(FaultyStoreTest, HooksRunAroundEachWrite) {
  FaultyStore store;
  std::string log;
  store.SetHooks([&](int64_t n) { absl::StrAppend(&log, "<", n); }, [&](int64_t n) { absl::StrAppend(&log, n, ">"); });
  store.FailWrites(2, 1, absl::UnavailableError("I/O error"));
  EXPECT_OK(store.Write(Put("a"), Durability::kSynced));
  EXPECT_FALSE(store.Write(Put("b"), Durability::kSynced).ok());
  EXPECT_EQ(log, "<11><2");
}

}  // namespace
}  // namespace mimeo::testing
