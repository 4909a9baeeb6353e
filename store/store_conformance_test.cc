// What every KeyValueStore must do, run against each of them.
#include <atomic>
#include <map>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "gtest/gtest.h"
#include "store/key_value_store.h"
#include "store/rocksdb_store.h"
#include "store/testing/faulty_store.h"

namespace mimeo {
namespace {

using testing::StatusIs;
using Pairs = std::vector<std::pair<std::string, std::string>>;

enum class Kind { kMemory, kDisk, kFaulty };

class StoreConformanceTest : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    if (GetParam() == Kind::kFaulty) {
      store_ = std::make_unique<testing::FaultyStore>();
      return;
    }
    RocksDbOptions options;
    options.path = dir_.path();
    options.in_memory = GetParam() == Kind::kMemory;
    ASSERT_OK_AND_ASSIGN(store_, OpenRocksDbStore(options));
  }

  absl::Status Put(Family family, const std::string& key, const std::string& value) {
    WriteBatch batch;
    batch.puts.push_back({family, key, value});
    return store_->Write(batch, Durability::kBuffered);
  }

  Pairs ScanAll(Family family, const std::string& prefix = "", const std::string& start = "", size_t limit = 1000) {
    Pairs pairs;
    EXPECT_OK(store_->Scan(family, prefix, start, [&](absl::string_view key, absl::string_view value) {
      pairs.emplace_back(std::string(key), std::string(value));
      return pairs.size() < limit;
    }));
    return pairs;
  }

  const TempDir dir_;
  std::unique_ptr<KeyValueStore> store_;
};

INSTANTIATE_TEST_SUITE_P(Stores, StoreConformanceTest, ::testing::Values(Kind::kMemory, Kind::kDisk, Kind::kFaulty),
                         [](const auto& param) -> std::string {
                           if (param.param == Kind::kMemory) return "Memory";
                           return param.param == Kind::kDisk ? "Disk" : "Faulty";
                         });

TEST_P(StoreConformanceTest, GetReturnsWhatWasPutLast) {
  EXPECT_THAT(store_->Get(Family::kJournal, "k"), StatusIs(absl::StatusCode::kNotFound));
  const std::string bytes("a\0\xff", 3);
  ASSERT_OK(Put(Family::kJournal, "k", bytes));
  ASSERT_OK_AND_ASSIGN(const std::string first, store_->Get(Family::kJournal, "k"));
  EXPECT_EQ(first, bytes);
  ASSERT_OK(Put(Family::kJournal, "k", ""));
  ASSERT_OK_AND_ASSIGN(const std::string second, store_->Get(Family::kJournal, "k"));
  EXPECT_EQ(second, "");
}

TEST_P(StoreConformanceTest, FamiliesAreApart) {
  for (int family = 0; family < kNumFamilies; ++family) {
    ASSERT_OK(Put(static_cast<Family>(family), "k", absl::StrCat("v", family)));
  }
  for (int family = 0; family < kNumFamilies; ++family) {
    EXPECT_EQ(ScanAll(static_cast<Family>(family)), (Pairs{{"k", absl::StrCat("v", family)}}));
  }
}

TEST_P(StoreConformanceTest, ABatchPutsAndRemovesOverFamilies) {
  ASSERT_OK(Put(Family::kChunks, "old", "x"));
  WriteBatch batch;
  batch.puts.push_back({Family::kManifests, "m", "1"});
  batch.puts.push_back({Family::kJournal, "j", "2"});
  batch.removes.push_back({Family::kChunks, "old"});
  batch.removes.push_back({Family::kChunks, "never there"});
  ASSERT_OK(store_->Write(batch, Durability::kSynced));
  EXPECT_EQ(ScanAll(Family::kManifests), (Pairs{{"m", "1"}}));
  EXPECT_EQ(ScanAll(Family::kJournal), (Pairs{{"j", "2"}}));
  EXPECT_TRUE(ScanAll(Family::kChunks).empty());
}

TEST_P(StoreConformanceTest, AnEmptyBatchIsFine) {
  EXPECT_OK(store_->Write(WriteBatch(), Durability::kBuffered));
  EXPECT_OK(store_->Write(WriteBatch(), Durability::kSynced));
}

TEST_P(StoreConformanceTest, ScanVisitsInByteOrderWithinThePrefix) {
  for (const char* key : {"b", "a\xff", "a", "aa", "\x01", "ab"}) ASSERT_OK(Put(Family::kMetrics, key, key));
  EXPECT_EQ(ScanAll(Family::kMetrics, "a"), (Pairs{{"a", "a"}, {"aa", "aa"}, {"ab", "ab"}, {"a\xff", "a\xff"}}));
  EXPECT_EQ(ScanAll(Family::kMetrics, "a", "ab"), (Pairs{{"ab", "ab"}, {"a\xff", "a\xff"}}));
  EXPECT_EQ(ScanAll(Family::kMetrics, "a", "ac"), (Pairs{{"a\xff", "a\xff"}}));
  EXPECT_EQ(ScanAll(Family::kMetrics, "a", "", 2), (Pairs{{"a", "a"}, {"aa", "aa"}}));
  EXPECT_EQ(ScanAll(Family::kMetrics).size(), 6u);
  EXPECT_TRUE(ScanAll(Family::kMetrics, "c").empty());
}

TEST_P(StoreConformanceTest, AScanSeesTheSnapshotAtItsStart) {
  for (int i = 0; i < 10; ++i) ASSERT_OK(Put(Family::kMetrics, absl::StrCat("k", i), "old"));
  Pairs seen;
  ASSERT_OK(store_->Scan(Family::kMetrics, "", "", [&](absl::string_view key, absl::string_view value) {
    EXPECT_TRUE(!seen.empty() || Put(Family::kMetrics, "k5", "new").ok());
    seen.emplace_back(std::string(key), std::string(value));
    return true;
  }));
  ASSERT_EQ(seen.size(), 10u);
  EXPECT_EQ(seen[5].second, "old");
  EXPECT_EQ(ScanAll(Family::kMetrics)[5].second, "new");
}

TEST_P(StoreConformanceTest, LargeValuesAreCountedAndComeBackWhole) {
  ASSERT_OK_AND_ASSIGN(const int64_t before, store_->ApproximateBytes());
  const std::string chunk(1 << 20, 'c');
  for (int i = 0; i < 4; ++i) ASSERT_OK(Put(Family::kChunks, OrderedKey(i), chunk));
  ASSERT_OK_AND_ASSIGN(const int64_t after, store_->ApproximateBytes());
  EXPECT_GT(after - before, 3 << 20);
  ASSERT_OK_AND_ASSIGN(const std::string read, store_->Get(Family::kChunks, OrderedKey(3)));
  EXPECT_EQ(read, chunk);
}

TEST_P(StoreConformanceTest, BatchesAreAtomicUnderConcurrentWriters) {
  std::atomic<bool> done{false};
  std::vector<std::thread> writers;
  for (int t = 0; t < 3; ++t) {
    writers.emplace_back([this, t] {
      for (int i = 0; i < 50; ++i) {
        WriteBatch batch;
        batch.puts.push_back({Family::kMetrics, "a", absl::StrCat(t, "-", i)});
        batch.puts.push_back({Family::kMetrics, "b", absl::StrCat(t, "-", i)});
        EXPECT_OK(store_->Write(batch, Durability::kBuffered));
      }
    });
  }
  std::thread reader([&] {
    while (!done) {
      const Pairs pairs = ScanAll(Family::kMetrics);
      ASSERT_TRUE(pairs.empty() || (pairs.size() == 2 && pairs[0].second == pairs[1].second));
    }
  });
  for (std::thread& writer : writers) writer.join();
  done = true;
  reader.join();
}

// A random history against a std::map.
TEST_P(StoreConformanceTest, AgreesWithAMap) {
  std::map<std::string, std::string> map;
  uint64_t state = 7;
  for (int i = 0; i < 500; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const std::string key = OrderedKey((state >> 33) % 40);
    WriteBatch batch;
    if ((state >> 60) % 3 == 0) {
      batch.removes.push_back({Family::kJournal, key});
      map.erase(key);
    } else {
      batch.puts.push_back({Family::kJournal, key, absl::StrCat(i)});
      map[key] = absl::StrCat(i);
    }
    ASSERT_OK(store_->Write(batch, Durability::kBuffered));
  }
  EXPECT_EQ(ScanAll(Family::kJournal), Pairs(map.begin(), map.end()));
}

TEST(OrderedKeyTest, ByteOrderIsNumericOrder) {
  const std::vector<uint64_t> numbers = {0, 1, 255, 256, 65535, uint64_t{1} << 32, ~uint64_t{0}};
  for (size_t i = 0; i < numbers.size(); ++i) {
    EXPECT_EQ(ParseOrderedKey(OrderedKey(numbers[i])), numbers[i]);
    EXPECT_TRUE(i == 0 || OrderedKey(numbers[i - 1]) < OrderedKey(numbers[i]));
  }
}

}  // namespace
}  // namespace mimeo
