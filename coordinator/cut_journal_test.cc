// The journal is cut while the cluster goes on.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "base/testing/status_matchers.h"
#include "coordinator/testing/cluster_script.h"
#include "store/journal_snapshot.h"
#include "store/rocksdb_store.h"

namespace mimeo {
namespace {

using testing::ClusterScript;

constexpr JournalBounds kBounds = {/*entries=*/4, /*bytes=*/1 << 20};

// A store that calls `on_snapshot` before each write of a snapshot.
class WatchedStore : public KeyValueStore {
 public:
  WatchedStore() {
    auto opened = OpenRocksDbStore({"watched", /*in_memory=*/true});
    EXPECT_OK(opened);
    store_ = std::move(*opened);
  }

  absl::StatusOr<std::string> Get(Family family, absl::string_view key) const override {
    return store_->Get(family, key);
  }
  absl::Status Write(const WriteBatch& batch, Durability durability) override {
    if (!batch.puts.empty() && batch.puts[0].family == Family::kSnapshots && on_snapshot) on_snapshot();
    return store_->Write(batch, durability);
  }
  absl::Status Scan(Family family, absl::string_view prefix, absl::string_view start,
                    absl::FunctionRef<bool(absl::string_view, absl::string_view)> visit) const override {
    return store_->Scan(family, prefix, start, visit);
  }
  absl::StatusOr<int64_t> ApproximateBytes() const override { return store_->ApproximateBytes(); }

  std::function<void()> on_snapshot;

 private:
  std::unique_ptr<KeyValueStore> store_;
};

// Whether another thread gets `command` done before a long time is over.
bool IsDoneMeanwhile(ClusterScript* script, const std::string& command) {
  absl::Notification done;
  std::thread caller([&] {
    script->Run(command);
    done.Notify();
  });
  const bool in_time = done.WaitForNotificationWithTimeout(absl::Seconds(30));
  if (in_time) {
    caller.join();
  } else {
    caller.detach();
  }
  return in_time;
}

TEST(CutJournalTest, EveryCallIsAnsweredWhileASnapshotIsWritten) {
  WatchedStore store;
  ClusterScript script(&store, absl::Seconds(60), kBounds);
  script.Run("worker w0 slots=1");
  for (int i = 1; i <= 4; ++i) script.Run(absl::StrCat("submit j", i, " ranks=1"));
  int writes = 0;
  int submitted = 4;
  store.on_snapshot = [&] {
    ++writes;
    if (writes > 3) return;  // the mark, the records, the head: the calls cause no further cut, since one is under way
    ASSERT_TRUE(IsDoneMeanwhile(&script, "heartbeat w0"));
    ASSERT_TRUE(IsDoneMeanwhile(&script, absl::StrCat("submit j", ++submitted, " ranks=1")));
  };
  script.core().Tick();
  EXPECT_EQ(writes, 3);
  EXPECT_EQ(script.Jobs().size(), 7u);
  ASSERT_OK_AND_ASSIGN(const JournalSnapshot snapshot, ReadSnapshot(store));
  EXPECT_GE(snapshot.entries, 5);
  EXPECT_EQ(script.Replayed(), script.core().StateForTest()) << "events behind the snapshot were journalled meanwhile";
  script.Run("restart");
  EXPECT_EQ(script.Jobs().size(), 7u);
}

// An event that was damaged on disk while the coordinator ran: its memory is whole, and the journal may not be replaced
// by what can still be read.
TEST(CutJournalTest, AJournalThatCannotBeReadIsNotCut) {
  WatchedStore store;
  ClusterScript script(&store, absl::Seconds(60), kBounds);
  script.Run("worker w0 slots=1");
  for (int i = 1; i <= 4; ++i) script.Run(absl::StrCat("submit j", i, " ranks=1"));
  ASSERT_OK_AND_ASSIGN(const std::string whole, store.Get(Family::kJournal, OrderedKey(2)));
  WriteBatch damage;
  damage.puts.push_back({Family::kJournal, OrderedKey(2), "caf\xe9"});
  ASSERT_OK(store.Write(damage, Durability::kSynced));
  script.core().Tick();
  ASSERT_OK_AND_ASSIGN(const JournalSnapshot none, ReadSnapshot(store));
  EXPECT_EQ(none.entries, 0);
  ASSERT_OK(store.Get(Family::kJournal, OrderedKey(0)).status());
  EXPECT_EQ(script.Jobs().size(), 4u) << "the coordinator goes on";

  WriteBatch mend;
  mend.puts.push_back({Family::kJournal, OrderedKey(2), whole});
  ASSERT_OK(store.Write(mend, Durability::kSynced));
  script.Run("submit j5 ranks=1");
  script.core().Tick();
  ASSERT_OK_AND_ASSIGN(const JournalSnapshot snapshot, ReadSnapshot(store));
  EXPECT_GE(snapshot.entries, 6) << "tried again";
}

}  // namespace
}  // namespace mimeo
