// A state that was loaded from a snapshot is the state that its events made: now, and whatever happens afterwards.
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/testing/status_matchers.h"
#include "coordinator/cluster_state.h"
#include "coordinator/testing/cluster_script.h"
#include "store/journal.h"
#include "store/rocksdb_store.h"

namespace mimeo {
namespace {

using testing::StatusIs;

// A history with every kind of event, and every field that an event can set.
std::vector<Event> EveryKind() {
  std::vector<Event> events;
  for (const char* text : {
           "worker_registered { worker { id: 'w0' incarnation: '1' slots: 2 host: 'h' devices { name: 'cpu' }"
           " build { version: '0.1' protocol: 1 } } }",
           "worker_registered { worker { id: 'w1' incarnation: '1' slots: 1 } }",
           "job_submitted { job_id: 'j1' request_id: 'r1' spec { name: 'a' resources { num_ranks: 2 } } }"
           " time { seconds: 7 nanos: 5000000 }",
           "job_submitted { job_id: 'j2' request_id: 'r2' owner: 'anna' spec { resources { num_ranks: 1 } } }"
           " time { seconds: 8 }",
           "job_submitted { job_id: 'j3' request_id: 'r3' spec { resources { num_ranks: 1 } } }",
           "gang_placed { job_id: 'j1' generation: 1 worker_ids: 'w0' worker_ids: 'w1' reason: 'placed' }",
           "teacher_registered { name: 'clip' incarnation: '1' address: 'a:1' }",
           "teacher_registered { name: 'dino' incarnation: '1' address: 'a:2' }",
           "teacher_pinned { job_id: 'j1' contract { name: 'clip' weights_digest: 'd' mean: 0.5 } }",
           "dataset_pinned { job_id: 'j1' digest: 'd1' num_samples: 100 total_steps: 50 }",
           "data_described { job_id: 'j1' data { field: 'data.path' num_samples: 100 notes: 'n'"
           " passed_over { reason: 'hidden files' count: 2 names: '.a' } } data { field: 'evaluation.path' } }",
           "data_described { job_id: 'j1' data { field: 'data.path' num_samples: 100"
           " passed_over { reason: 'hidden files' count: 3 names: '.a' } } }",
           "checkpoint_committed { manifest { job_id: 'j1' generation: 1 step: 10 } }",
           "checkpoint_committed { manifest { job_id: 'j1' generation: 1 step: 20 } }",
           "checkpoint_deleted { job_id: 'j1' step: 10 }",
           "gang_placed { job_id: 'j2' generation: 1 worker_ids: 'w0' }",
           "gang_ended { job_id: 'j1' generation: 1 end: GANG_END_FAILED status_code: 13 reason: 'broke' permanent: "
           "true"
           " needs_person: true failures { worker_id: 'w1' message: 'broke' } }",
           "job_paused { job_id: 'j1' reason: 'a person must look' status_code: 13 }",
           "job_controlled { job_id: 'j2' want: WANT_PAUSE user: 'ben' }",
           "gang_ended { job_id: 'j2' generation: 1 end: GANG_END_STOPPED reason: 'paused' }",
           "job_controlled { job_id: 'j1' want: WANT_RUN }",
           "gang_placed { job_id: 'j1' generation: 2 worker_ids: 'w0' worker_ids: 'w1' resume_step: 20 }",
           "gang_ended { job_id: 'j1' generation: 2 end: GANG_END_COMPLETED reason: 'done' } time { seconds: 9 }",
           "job_extended { job_id: 'j1' spec { name: 'a' resources { num_ranks: 2 } } total_steps: 90 user: 'anna' }",
           "job_finished { job_id: 'j1' state: JOB_STATE_CANCELLED reason: 'a person cancelled it' }",
           "job_finished { job_id: 'j3' state: JOB_STATE_FAILED reason: 'enough' status_code: 3 }",
           "job_deleted { job_id: 'j3' }",
           "job_deleted { job_id: 'j1' }",
           "worker_drained { worker_id: 'w0' drained: true }",
           "worker_drained { worker_id: 'w1' drained: true }",
           "worker_drained { worker_id: 'w1' drained: false }",
           "worker_forgotten { worker_id: 'w0' }",
           "teacher_forgotten { name: 'dino' }",
           "job_submitted { job_id: 'j4' request_id: 'r1' spec { resources { num_ranks: 1 } } }",
       }) {
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &events.emplace_back())) << text;
  }
  return events;
}

// The events of a transcript of testdata, played.
std::vector<Event> EventsOf(const std::filesystem::path& transcript) {
  const auto store = OpenRocksDbStore({"transcript", true});
  EXPECT_OK(store);
  testing::ClusterScript script(store->get(), absl::Seconds(60));
  std::ifstream in(transcript);
  bool in_answer = false;
  for (std::string line; std::getline(in, line);) {
    in_answer = !line.empty() && (in_answer || line == "----");
    if (!in_answer && !line.empty() && line[0] != '#') script.Run(line);
  }
  std::vector<Event> events;
  EXPECT_OK(Journal(store->get()).Replay([&](const Event& event) {
    events.push_back(event);
    return absl::OkStatus();
  }));
  return events;
}

// Everything that can be asked of a state.
std::string TextOf(const ClusterState& state) {
  std::string text = state.DebugString();
  for (int i = JOB_STATE_PENDING; i <= JOB_STATE_CANCELLED; ++i) {
    absl::StrAppend(&text, state.NumJobs(static_cast<JobState>(i)), " ");
  }
  absl::StrAppend(&text, state.num_slots(), " ", state.num_slots_busy(), "\n");
  for (const auto& [sequence, id] : state.order()) absl::StrAppend(&text, sequence, "=", id, " ");
  for (const auto& [id, job] : state.jobs()) absl::StrAppend(&text, id, " asked by ", job.request_id, "\n");
  for (const auto& [id, worker] : state.workers()) {
    for (const auto& [job, slots] : state.SlotsHeld(id)) absl::StrAppend(&text, id, ": ", slots, " of ", job, "\n");
  }
  return text;
}

void ApplyAll(const std::vector<Event>& events, size_t from, ClusterState* state) {
  for (size_t i = from; i < events.size(); ++i) {
    ASSERT_OK(state->CheckReplayed(events[i])) << i << ": " << events[i].ShortDebugString();
    state->Apply(events[i]);
  }
}

ClusterState Reloaded(const ClusterState& state) {
  ClusterState loaded;
  state.Snapshot([&](const SnapshotRecord& record) {
    SnapshotRecord read;
    EXPECT_TRUE(read.ParseFromString(record.SerializeAsString()));
    EXPECT_OK(loaded.Restore(read));
  });
  return loaded;
}

// With a snapshot at every prefix.
void ExpectSameFromEverySnapshot(const std::vector<Event>& events, const std::string& name) {
  ClusterState whole;
  ApplyAll(events, 0, &whole);
  ClusterState prefix;
  for (size_t cut = 0; cut <= events.size(); ++cut) {
    ClusterState loaded = Reloaded(prefix);
    ASSERT_EQ(TextOf(loaded), TextOf(prefix)) << name << " after " << cut << " events";
    ApplyAll(events, cut, &loaded);
    ASSERT_EQ(TextOf(loaded), TextOf(whole)) << name << " from a snapshot after " << cut << " events";
    if (cut < events.size()) prefix.Apply(events[cut]);
  }
}

TEST(ClusterSnapshotTest, AHistoryOfEveryKindOfEvent) {
  const std::vector<Event> events = EveryKind();
  std::set<int> kinds;
  for (const Event& event : events) kinds.insert(event.kind_case());
  EXPECT_EQ(static_cast<int>(kinds.size()), Event::descriptor()->FindOneofByName("kind")->field_count())
      << "a kind is missing in this test";
  ExpectSameFromEverySnapshot(events, "every kind");
}

TEST(ClusterSnapshotTest, EveryTranscript) {
  int transcripts = 0;
  const std::string dir =
      absl::StrCat(std::getenv("TEST_SRCDIR"), "/", std::getenv("TEST_WORKSPACE"), "/coordinator/testdata");
  for (const auto& entry : std::filesystem::directory_iterator(dir)) {
    if (!absl::EndsWith(entry.path().string(), ".txt")) continue;
    const std::vector<Event> events = EventsOf(entry.path());
    EXPECT_GE(events.size(), 2u) << entry.path();
    ExpectSameFromEverySnapshot(events, entry.path());
    ++transcripts;
  }
  EXPECT_GE(transcripts, 8);
}

TEST(ClusterSnapshotTest, RecordsThatContradictAreRefused) {
  ClusterState state;
  ApplyAll(EveryKind(), 0, &state);
  state.Snapshot([&](const SnapshotRecord& record) {
    ClusterState twice = Reloaded(state);
    if (record.has_job() || record.has_worker() || record.has_teacher()) {
      EXPECT_THAT(twice.Restore(record), StatusIs(absl::StatusCode::kInvalidArgument, "is there twice"));
    }
  });
  SnapshotRecord again;
  again.mutable_job()->set_id("j2");
  again.mutable_job()->set_sequence(99);
  EXPECT_THAT(state.Restore(again), StatusIs(absl::StatusCode::kInvalidArgument, "job j2 is there twice"));
  again.mutable_job()->set_id("j99");
  again.mutable_job()->set_sequence(2);
  EXPECT_THAT(state.Restore(again), StatusIs(absl::StatusCode::kInvalidArgument, "job number 2 is there twice"));
  EXPECT_THAT(state.Restore(SnapshotRecord()), StatusIs(absl::StatusCode::kInvalidArgument, "newer version"));
  SnapshotRecord odd;
  odd.mutable_job()->set_id("j9");
  odd.mutable_job()->set_state(static_cast<JobState>(77));
  EXPECT_THAT(state.Restore(odd), StatusIs(absl::StatusCode::kInvalidArgument, "j9: state 77"));
}

}  // namespace
}  // namespace mimeo
