// A directory that the coordinator of an earlier version (04ab777) left, killed while a job ran: testdata/make_store.py
// made it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/subprocess.h"
#include "base/testing/status_matchers.h"
#include "coordinator/testing/cluster_script.h"
#include "job/job_spec.h"
#include "job/job_state.h"
#include "store/rocksdb_store.h"

namespace mimeo {
namespace {

using testing::ClusterScript;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class OldStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Subprocess::Options options;
    options.argv = {"/usr/bin/tar", "xJf", "coordinator/testdata/store_04ab777.tar.xz", "-C", dir_.path()};
    ASSERT_OK_AND_ASSIGN(const auto tar, Subprocess::Start(options));
    ASSERT_OK_AND_ASSIGN(const ExitStatus unpacked, tar->Wait(Clock::Real()->Now() + absl::Seconds(30)));
    ASSERT_TRUE(unpacked.ok()) << unpacked.ToString();
    ASSERT_OK_AND_ASSIGN(store_, OpenRocksDbStore({dir_.path() + "/state"}));
    script_ = std::make_unique<ClusterScript>(store_.get(), absl::Seconds(60));
  }
  Job Get(const std::string& id) const {
    const auto job = script_->core().GetJob(id);
    EXPECT_OK(job);
    return job.value_or(Job());
  }
  std::vector<std::string> States() const {
    std::vector<std::string> states;
    for (const Job& job : script_->Jobs()) states.push_back(absl::StrCat(job.id(), " ", StateName(job.state())));
    return states;
  }

  const TempDir dir_;
  std::unique_ptr<KeyValueStore> store_;
  std::unique_ptr<ClusterScript> script_;
};

TEST_F(OldStoreTest, EachJobIsInItsState) {
  EXPECT_THAT(States(),
              ElementsAre("j6 pending", "j5 running", "j4 paused", "j3 cancelled", "j2 failed", "j1 succeeded"));
  EXPECT_THAT(Get("j2").reason(), HasSubstr("examples/clothing/absent"));
  EXPECT_EQ(script_->Replayed(), script_->core().StateForTest());
  for (const Job& job : script_->Jobs()) {
    const auto again = ParseRecipe(JobSpecText(job.spec()), job.id());
    EXPECT_OK(again) << "what `show` prints can be submitted";
    EXPECT_OK(ResolveJobSpec(job.spec()));
  }
}

TEST_F(OldStoreTest, EachCheckpointIsWhole) {
  int checkpoints = 0;
  for (const Job& job : script_->Jobs()) {
    ASSERT_OK_AND_ASSIGN(const auto manifests, script_->core().checkpoints().ListManifests(job.id()));
    for (const CheckpointManifest& manifest : manifests) {
      ++checkpoints;
      for (int i = 0; i < manifest.chunk_sha256_size(); ++i) {
        EXPECT_OK(script_->core().checkpoints().GetChunk(manifest, i));
      }
    }
    if (job.checkpoint_step() == 0) continue;
    ASSERT_FALSE(manifests.empty()) << job.id();
    EXPECT_EQ(manifests.back().step(), job.checkpoint_step());
  }
  EXPECT_GE(checkpoints, 5);
}

TEST_F(OldStoreTest, MetricsAreThereStepByStep) {
  ASSERT_OK_AND_ASSIGN(const auto steps, script_->core().step_metrics().Steps("j1", 0, 1000));
  ASSERT_EQ(steps.size(), 40u);
  for (size_t i = 0; i < steps.size(); ++i) EXPECT_EQ(steps[i].step(), static_cast<int64_t>(i) + 1);
}

TEST_F(OldStoreTest, ThoseThatWereUnderWayGoOnFromTheirCheckpoints) {
  const int64_t paused_at = Get("j4").checkpoint_step(), running_at = Get("j5").checkpoint_step();
  EXPECT_GT(paused_at, 0);
  EXPECT_GT(running_at, 0);
  script_->Run("worker host1 slots=4 incarnation=new");
  script_->Run("worker host2 slots=1 incarnation=new");
  EXPECT_EQ(Get("j6").state(), JOB_STATE_RUNNING) << Get("j6").reason();
  EXPECT_EQ(Get("j5").state(), JOB_STATE_RUNNING) << Get("j5").reason();
  EXPECT_EQ(Get("j5").generation(), 2);
  EXPECT_EQ(Get("j5").checkpoint_step(), running_at);
  script_->Run("resume j4");
  script_->Run("worker host3 slots=1");
  EXPECT_EQ(Get("j4").state(), JOB_STATE_RUNNING) << Get("j4").reason();
  EXPECT_EQ(Get("j4").checkpoint_step(), paused_at);
  EXPECT_THAT(script_->Run("submit j7 ranks=1"), HasSubstr("j7"));
  EXPECT_EQ(script_->Replayed(), script_->core().StateForTest());
}

TEST_F(OldStoreTest, ItsJournalIsCutAndNothingElseChanges) {
  ASSERT_OK(store_->Get(Family::kJournal, OrderedKey(0)));
  const std::string before = script_->core().StateForTest();
  script_ = std::make_unique<ClusterScript>(store_.get(), absl::Seconds(60), JournalBounds{/*entries=*/1, /*bytes=*/1});
  EXPECT_EQ(script_->core().StateForTest(), before);
  EXPECT_FALSE(store_->Get(Family::kJournal, OrderedKey(0)).ok()) << "cut by the first tick";
  script_.reset();
  store_.reset();
  ASSERT_OK_AND_ASSIGN(store_, OpenRocksDbStore({dir_.path() + "/state"}));
  script_ = std::make_unique<ClusterScript>(store_.get(), absl::Seconds(60));
  EXPECT_EQ(script_->core().StateForTest(), before);
}

}  // namespace
}  // namespace mimeo
