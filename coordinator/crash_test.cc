// The coordinator dies at every one of its writes: killed by SIGKILL after it (a real process on a real directory), and
// by loss of power before it (a store that forgets what was not synced). Nothing that was acknowledged is lost, and the
// cluster goes on to the same end.
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/subprocess.h"
#include "base/testing/status_matchers.h"
#include "coordinator/testing/cluster_script.h"
#include "store/keys.h"
#include "store/rocksdb_store.h"
#include "store/testing/faulty_store.h"

namespace mimeo {
namespace {

using testing::ClusterScript;
using testing::FaultyStore;

// So short that the journal is cut while the scripts run.
constexpr JournalBounds kBounds = {/*entries=*/4, /*bytes=*/1 << 20};

// Two jobs through every kind of event but forgetting. May be run again from its start at any point: that is how the
// agents, who outlive the coordinator, tell it everything again.
const std::vector<std::string>& Script() {
  static const auto* const script = new std::vector<std::string>{
      "worker w0 slots=2",
      "worker w1 slots=1",
      "submit j1 ranks=2 keep=1",
      "submit j2 ranks=2 teacher=clip",
      "advance 1s heard=w0,w1",
      "rank j1 0 training step=5 digest=d1 store=127.0.0.1:4000",
      "rank j1 1 training step=5 digest=d1",
      "upload j1 step=10",
      "commit j1 generation=1 step=10",
      "report j1 generation=1 step=12",
      "advance 1s heard=w0,w1",
      "upload j1 step=20",
      "commit j1 generation=1 step=20",
      "teacher clip",
      "pause j1",
      "rank j1 0 stopped step=20",
      "rank j1 1 stopped step=20",
      "rank j2 0 training step=1 digest=d1",
      "cancel j2",
      "advance 1s heard=w0,w1",
      "resume j1",
      "rank j1 0 completed step=100",
      "rank j1 1 completed step=100",
  };
  return *script;
}

// Two jobs end and are deleted: one with checkpoints, metrics and an upload that was never committed, one with nothing.
const std::vector<std::string>& DeletingScript() {
  static const auto* const script = new std::vector<std::string>{
      "worker w0 slots=1",
      "submit j1 ranks=1 keep=3",
      "rank j1 0 training step=5 digest=d1",
      "upload j1 step=10",
      "commit j1 generation=1 step=10",
      "report j1 generation=1 step=12",
      "upload j1 step=20",
      "commit j1 generation=1 step=20",
      "upload j1 step=30",
      "rank j1 0 completed step=100",
      "submit j2 ranks=1",
      "cancel j2",
      "advance 1s heard=w0",
      "delete j1",
      "delete j2",
      "advance 1s",
  };
  return *script;
}

// Passes on, and dies by SIGKILL when one write is done.
class KillingStore : public KeyValueStore {
 public:
  KillingStore(std::unique_ptr<KeyValueStore> store, int64_t at) : store_(std::move(store)), at_(at) {}

  absl::StatusOr<std::string> Get(Family family, absl::string_view key) const override {
    return store_->Get(family, key);
  }
  absl::Status Write(const WriteBatch& batch, Durability durability) override {
    absl::Status written = store_->Write(batch, durability);
    if (++writes_ == at_) raise(SIGKILL);
    return written;
  }
  absl::Status Scan(Family family, absl::string_view prefix, absl::string_view start,
                    absl::FunctionRef<bool(absl::string_view, absl::string_view)> visit) const override {
    return store_->Scan(family, prefix, start, visit);
  }
  absl::StatusOr<int64_t> ApproximateBytes() const override { return store_->ApproximateBytes(); }

 private:
  const std::unique_ptr<KeyValueStore> store_;
  const int64_t at_;
  int64_t writes_ = 0;
};

// In the child: runs the script; each acknowledged command is a line of dir/acknowledged at once.
int RunChild(const std::string& dir, int64_t at) {
  auto store = OpenRocksDbStore({dir + "/state"});
  if (!store.ok()) return 3;
  KillingStore killing(*std::move(store), at);
  ClusterScript script(&killing, absl::Seconds(60), kBounds);
  std::ofstream acknowledged(dir + "/acknowledged");
  for (const std::string& command : FileExists(dir + "/deletes") ? DeletingScript() : Script()) {
    script.Run(command);
    acknowledged << command << std::endl;
  }
  return 0;
}

// What a person would call the outcome.
std::string Outcome(ClusterScript* script) {
  std::string outcome;
  const absl::StatusOr<ListJobsReply> list = script->core().ListJobs(ListJobsRequest());
  EXPECT_TRUE(list.ok()) << list.status();
  for (const Job& job : list->jobs()) {
    absl::StrAppend(&outcome, job.id(), " ", JobState_Name(job.state()), " checkpoint=", job.checkpoint_step(), "\n");
  }
  return outcome;
}

int64_t StepOf(absl::string_view command) {
  int64_t step = 0;
  const std::vector<std::string> parts = absl::StrSplit(command, "step=");
  EXPECT_TRUE(absl::SimpleAtoi(parts.back(), &step)) << command;
  return step;
}

// Every acknowledgement holds in `script`, which has recovered.
void ExpectKept(const std::vector<std::string>& acknowledged, ClusterScript* script) {
  EXPECT_EQ(script->Replayed(), script->core().StateForTest());
  for (const std::string& command : acknowledged) {
    const std::vector<std::string> words = absl::StrSplit(command, ' ');
    if (words[0] == "submit") {
      EXPECT_OK(script->core().GetJob(words[1]));
    }
    if (words[0] == "cancel") {
      ASSERT_OK_AND_ASSIGN(const Job job, script->core().GetJob(words[1]));
      EXPECT_EQ(job.want(), WANT_CANCEL);
    }
    if (words[0] != "commit") continue;
    ASSERT_OK_AND_ASSIGN(const Job job, script->core().GetJob(words[1]));
    EXPECT_GE(job.checkpoint_step(), StepOf(command));
    ASSERT_OK_AND_ASSIGN(const CheckpointManifest newest,
                         script->core().checkpoints().GetManifest(words[1], job.checkpoint_step()));
    EXPECT_OK(script->core().checkpoints().GetChunk(newest, 0));
  }
}

// Recovers from `store`, checks what was promised, then lets the cluster go on.
void ExpectRecovery(KeyValueStore* store, const std::vector<std::string>& acknowledged, const std::string& outcome) {
  ClusterScript script(store, absl::Seconds(60), kBounds);
  ExpectKept(acknowledged, &script);
  for (const std::string& command : Script()) {
    script.Run(command);
    ASSERT_EQ(script.Replayed(), script.core().StateForTest()) << command;
  }
  EXPECT_EQ(Outcome(&script), outcome);
}

struct Undisturbed {
  std::string outcome;
  int64_t writes = 0;
};

Undisturbed RunUndisturbed() {
  FaultyStore store;
  ClusterScript script(&store, absl::Seconds(60), kBounds);
  for (const std::string& command : Script()) {
    const std::string answer = script.Run(command);
    EXPECT_FALSE(absl::StrContains(answer, "FAILED_PRECONDITION")) << command << ": " << answer;
  }
  return {Outcome(&script), store.writes()};
}

// The child of RunChild on `dir`, killed after write `at`; what it had acknowledged.
std::vector<std::string> RunKilled(const std::string& dir, int64_t at) {
  Subprocess::Options options;
  options.argv = {"/proc/self/exe", "--child", dir, absl::StrCat(at)};
  options.output_path = dir + "/log";
  const auto child = Subprocess::Start(options);
  EXPECT_OK(child);
  const auto exit = (*child)->Wait(Clock::Real()->Now() + absl::Minutes(1));
  EXPECT_OK(exit);
  EXPECT_EQ(exit->signal, SIGKILL) << exit->ToString();
  const auto lines = ReadFile(dir + "/acknowledged");
  EXPECT_OK(lines);
  return absl::StrSplit(lines.value_or(""), '\n', absl::SkipEmpty());
}

TEST(CrashTest, TheScriptEndsWell) {
  const Undisturbed run = RunUndisturbed();
  EXPECT_EQ(run.outcome, "j2 JOB_STATE_CANCELLED checkpoint=0\nj1 JOB_STATE_SUCCEEDED checkpoint=20\n");
  EXPECT_GE(run.writes, 20);
  FaultyStore store;
  ClusterScript script(&store, absl::Seconds(60), kBounds);
  for (const std::string& command : Script()) script.Run(command);
  const auto snapshot = ReadSnapshot(store);
  ASSERT_OK(snapshot);
  EXPECT_GT(snapshot->entries, 0) << "the journal was cut on the way";
}

TEST(CrashTest, KilledAtEveryWriteNothingAcknowledgedIsLost) {
  const Undisturbed run = RunUndisturbed();
  for (int64_t at = 1; at <= run.writes; ++at) {
    SCOPED_TRACE(absl::StrCat("killed after write ", at, ", before anybody hears of it"));
    const TempDir dir;
    const std::vector<std::string> acknowledged = RunKilled(dir.path(), at);
    ASSERT_OK_AND_ASSIGN(const auto store, OpenRocksDbStore({dir.path() + "/state"}));
    ExpectRecovery(store.get(), acknowledged, run.outcome);
  }
}

// SIGKILL never tests fsync: here a crash keeps what was synced, and of the rest either nothing or everything.
// `expect` sees what the disk then holds, and the commands that were acknowledged.
void LosePowerAtEveryWrite(
    int64_t writes, const std::vector<std::string>& commands,
    const std::function<void(KeyValueStore* disk, const std::vector<std::string>& acknowledged)>& expect) {
  for (int64_t at = 1; at <= writes; ++at) {
    for (const int64_t keep : {int64_t{0}, int64_t{1} << 30}) {
      SCOPED_TRACE(absl::StrCat("no power at write ", at, ", unsynced writes kept: ", keep));
      FaultyStore store;
      store.FailWrites(at, int64_t{1} << 30, absl::UnavailableError("no power"));
      std::vector<std::string> acknowledged;
      {
        ClusterScript script(&store, absl::Seconds(60), kBounds);
        for (const std::string& command : commands) {
          if (absl::StrContains(script.Run(command), "no power")) break;
          acknowledged.push_back(command);
        }
      }
      const std::unique_ptr<KeyValueStore> disk = store.Crash(keep);
      expect(disk.get(), acknowledged);
    }
  }
}

TEST(CrashTest, WithoutPowerAtEveryWriteNothingAcknowledgedIsLost) {
  const Undisturbed run = RunUndisturbed();
  LosePowerAtEveryWrite(run.writes, Script(), [&](KeyValueStore* disk, const std::vector<std::string>& acknowledged) {
    ExpectRecovery(disk, acknowledged, run.outcome);
  });
}

int KeysIn(const KeyValueStore& store, Family family, const std::string& prefix) {
  int keys = 0;
  EXPECT_OK(store.Scan(family, prefix, "", [&](absl::string_view, absl::string_view) { return ++keys > 0; }));
  return keys;
}

// Everything of the job, or nothing at all.
void ExpectWholeOrGone(const std::string& id, bool deleted, ClusterScript* script, const KeyValueStore& store) {
  const absl::StatusOr<Job> job = script->core().GetJob(id);
  if (job.ok()) {
    EXPECT_FALSE(deleted) << id << " was deleted, and is back";
    if (job->checkpoint_step() == 0) return;
    const auto newest = script->core().checkpoints().GetManifest(id, job->checkpoint_step());
    ASSERT_OK(newest);
    EXPECT_OK(script->core().checkpoints().GetChunk(*newest, 0));
    return;
  }
  for (const Family family : {Family::kManifests, Family::kChunks, Family::kMetrics}) {
    EXPECT_EQ(KeysIn(store, family, NameKey(id)), 0) << id << ", family " << static_cast<int>(family);
  }
}

void ExpectDeletionGoesOn(KeyValueStore* store, const std::vector<std::string>& acknowledged) {
  ClusterScript script(store, absl::Seconds(60), kBounds);
  script.Run("advance 1s");
  EXPECT_EQ(script.Replayed(), script.core().StateForTest());
  const std::string said = absl::StrJoin(acknowledged, ",") + ",";
  for (const char* id : {"j1", "j2"}) {
    ExpectWholeOrGone(id, absl::StrContains(said, absl::StrCat("delete ", id, ",")), &script, *store);
  }
  if (!absl::StrContains(said, "submit j2")) return;
  script.Run("cancel j1");
  for (const char* id : {"j1", "j2"}) {
    script.Run(absl::StrCat("cancel ", id));
    script.Run(absl::StrCat("delete ", id));
    EXPECT_TRUE(absl::IsNotFound(script.core().GetJob(id).status())) << id;
    ExpectWholeOrGone(id, true, &script, *store);
  }
  EXPECT_EQ(KeysIn(*store, Family::kManifests, ""), 0) << "no mark of a deletion stays";
  EXPECT_TRUE(absl::StrContains(script.Run("submit j1 ranks=1 keep=9"), "it is called j3"));
}

int64_t WritesOfDeletion() {
  FaultyStore store;
  ClusterScript script(&store, absl::Seconds(60), kBounds);
  for (const std::string& command : DeletingScript()) {
    const std::string answer = script.Run(command);
    EXPECT_FALSE(absl::StrContains(answer, "FAILED_PRECONDITION")) << command << ": " << answer;
  }
  for (const Family family : {Family::kManifests, Family::kChunks, Family::kMetrics}) {
    EXPECT_EQ(KeysIn(store, family, ""), 0) << static_cast<int>(family);
  }
  return store.writes();
}

TEST(CrashTest, KilledAtEveryWriteADeletedJobLeavesNothing) {
  const int64_t writes = WritesOfDeletion();
  for (int64_t at = 1; at <= writes; ++at) {
    SCOPED_TRACE(absl::StrCat("killed after write ", at));
    const TempDir dir;
    ASSERT_OK(WriteFileAtomic(dir.path() + "/deletes", ""));
    const std::vector<std::string> acknowledged = RunKilled(dir.path(), at);
    ASSERT_OK_AND_ASSIGN(const auto store, OpenRocksDbStore({dir.path() + "/state"}));
    ExpectDeletionGoesOn(store.get(), acknowledged);
  }
}

TEST(CrashTest, WithoutPowerAtEveryWriteADeletedJobLeavesNothing) {
  LosePowerAtEveryWrite(WritesOfDeletion(), DeletingScript(), ExpectDeletionGoesOn);
}

// A full disk loses nothing and stops nothing: the coordinator says so, and goes on when there is room.
TEST(CrashTest, AFullDiskIsSaidAndSurvivedAtEveryWrite) {
  const Undisturbed run = RunUndisturbed();
  for (int64_t at = 1; at <= run.writes; ++at) {
    SCOPED_TRACE(absl::StrCat("disk full at write ", at));
    FaultyStore store;
    store.FailWrites(at, 2, absl::ResourceExhaustedError("disk full"));
    ClusterScript script(&store, absl::Seconds(60), kBounds);
    for (int round = 0; round < 2; ++round) {
      for (const std::string& command : Script()) {
        // Who is refused comes again, as agents and clients do.
        for (int attempt = 0; attempt < 3; ++attempt) {
          const std::string answer = script.Run(command);
          ASSERT_EQ(script.Replayed(), script.core().StateForTest()) << command;
          if (!absl::StrContains(answer, "disk full")) break;
        }
      }
    }
    EXPECT_EQ(Outcome(&script), run.outcome);
  }
}

}  // namespace
}  // namespace mimeo

int main(int argc, char** argv) {
  if (argc == 4 && std::strcmp(argv[1], "--child") == 0) return mimeo::RunChild(argv[2], std::atoll(argv[3]));
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
