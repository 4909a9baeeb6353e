// Chunks that were never committed are deleted, but never under a commit's feet.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/testing/status_matchers.h"
#include "coordinator/testing/cluster_script.h"
#include "store/rocksdb_store.h"

namespace mimeo {
namespace {

using testing::ClusterScript;

// A store in memory that calls whenever a chunk was read.
class WatchedStore : public KeyValueStore {
 public:
  explicit WatchedStore(std::unique_ptr<KeyValueStore> store) : store_(std::move(store)) {}

  absl::StatusOr<std::string> Get(Family family, absl::string_view key) const override {
    absl::StatusOr<std::string> value = store_->Get(family, key);
    if (family == Family::kChunks && after_chunk != nullptr) std::exchange(after_chunk, nullptr)();
    return value;
  }
  absl::Status Write(const WriteBatch& batch, Durability durability) override {
    return store_->Write(batch, durability);
  }
  absl::Status Scan(Family family, absl::string_view prefix, absl::string_view start,
                    absl::FunctionRef<bool(absl::string_view, absl::string_view)> visit) const override {
    return store_->Scan(family, prefix, start, visit);
  }
  absl::StatusOr<int64_t> ApproximateBytes() const override { return store_->ApproximateBytes(); }

  mutable std::function<void()> after_chunk;  // once

 private:
  const std::unique_ptr<KeyValueStore> store_;
};

class UploadsTest : public ::testing::Test {
 protected:
  UploadsTest() : store_(*OpenRocksDbStore({"uploads", /*in_memory=*/true})), script_(&store_, absl::Seconds(60)) {
    script_.Run("worker w0 slots=1");
    script_.Run("submit j1 ranks=1");
  }

  WatchedStore store_;
  ClusterScript script_;
};

TEST_F(UploadsTest, AnUploadThatIsBeingVerifiedStaysUntilItIsCommitted) {
  script_.Run("upload j1 step=1");
  for (int64_t i = 0; i < limits::kUncommittedUploads; ++i) script_.Run(absl::StrCat("upload j1 step=", 10 + i));
  bool cleaned = false;
  store_.after_chunk = [&] {  // the chunk was found whole; the commit is yet to come
    script_.core().Tick();
    cleaned = true;
  };
  EXPECT_EQ(script_.Run("commit j1 generation=1 step=1").find("FAILED_PRECONDITION"), std::string::npos);
  EXPECT_TRUE(cleaned);
  script_.core().Tick();
  ASSERT_OK_AND_ASSIGN(const CheckpointManifest manifest, script_.core().checkpoints().GetManifest("j1", 1));
  EXPECT_OK(script_.core().checkpoints().GetChunk(manifest, 0));
  ASSERT_OK_AND_ASSIGN(const auto uncommitted, script_.core().checkpoints().ListUncommitted("j1"));
  EXPECT_EQ(static_cast<int64_t>(uncommitted.size()), limits::kUncommittedUploads) << "those begun last stay";
}

TEST_F(UploadsTest, CleaningIsMadeUpForAfterTheCommit) {
  script_.Run("upload j1 step=1");
  script_.Run("upload j1 step=2");
  for (int64_t i = 0; i < limits::kUncommittedUploads; ++i) script_.Run(absl::StrCat("upload j1 step=", 10 + i));
  store_.after_chunk = [&] { script_.core().Tick(); };
  script_.Run("commit j1 generation=1 step=1");
  script_.core().Tick();
  ASSERT_OK_AND_ASSIGN(const auto uncommitted, script_.core().checkpoints().ListUncommitted("j1"));
  ASSERT_FALSE(uncommitted.empty());
  EXPECT_EQ(uncommitted.front().step, 10) << "that of step 2 was begun first";
}

}  // namespace
}  // namespace mimeo
