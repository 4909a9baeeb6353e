// What the cluster is, as a function of the events so far. Pure; thread-compatible. Ordered maps: iteration is
// deterministic.
#pragma once

#include <array>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "proto/event.pb.h"
#include "proto/snapshot.pb.h"

namespace mimeo {

// Every field is in JobRecord of proto/snapshot.proto too.
struct JobInfo {
  std::string id;
  int64_t sequence = 0;    // order of submission
  std::string request_id;  // of its submission
  JobSpec spec;            // resolved
  JobState state = JOB_STATE_PENDING;
  Want want = WANT_RUN;
  std::string reason;                  // of the newest change
  int status_code = 0;                 // absl::StatusCode of the newest failure
  int64_t generation = 0;              // newest
  std::vector<std::string> placement;  // worker by rank; empty unless a gang has slots
  int64_t resume_step = 0;             // of the checkpoint that the newest generation started from; 0: the beginning
  int failures_in_a_row = 0;     // generations without a new checkpoint; a person who resumes the job forgives them
  bool failed_for_good = false;  // no other generation would help
  bool needs_person = false;     // nor before a person has mended something
  bool paused_itself = false;    // by JobPaused: nobody asked
  // Where those generations failed, or moved away from because the data were not seen: the newest failure of each
  // worker, the newest last, at most limits::kFailuresNamed.
  std::vector<WorkerFailure> failures;
  std::string dataset_digest;
  int64_t num_samples = 0;
  int64_t total_steps = 0;
  std::map<std::string, TeacherContract> teachers;  // by name: pinned at their first use
  std::vector<int64_t> checkpoint_steps;            // committed, ascending
  int64_t submitted_unix_ms = 0;
};

struct WorkerInfo {
  WorkerIdentity identity;
};

struct TeacherRecord {
  std::string name;
  std::string incarnation;
  std::string address;
};

class ClusterState {
 public:
  // May this new event happen: would Apply be legal, and is the event within today's limits? FailedPrecondition or
  // InvalidArgument names the field; NotFound names the job or worker; AlreadyExists: the request id was used.
  absl::Status Check(const Event& event) const;
  // Likewise for an event of the journal: only whether it contradicts those before it. It was within the limits of its
  // day, and they may have been wider.
  absl::Status CheckReplayed(const Event& event) const;
  void Apply(const Event& event);  // REQUIRES: CheckReplayed(event).ok()

  // The whole state in records, always in the same order: an empty ClusterState that restores them one by one equals
  // this one.
  void Snapshot(absl::FunctionRef<void(const SnapshotRecord&)> visit) const;
  // InvalidArgument: the record contradicts those before it, or is of a newer version.
  absl::Status Restore(const SnapshotRecord& record);

  const absl::btree_map<std::string, JobInfo>& jobs() const { return jobs_; }
  const absl::btree_map<std::string, WorkerInfo>& workers() const { return workers_; }
  const absl::btree_map<std::string, TeacherRecord>& teachers() const { return teachers_; }
  const std::map<std::string, std::string>& requests() const { return requests_; }  // request id -> job id
  const absl::btree_map<int64_t, std::string>& order() const { return order_; }     // sequence -> job id

  // Counts, kept because they are asked for with every event.
  int NumJobs(JobState state) const { return jobs_in_state_[state]; }
  int NumUnfinished() const;
  int num_slots() const { return slots_; }
  int num_slots_busy() const { return slots_busy_; }

  // Whether a person drained it. It need not be registered now: a drained host may be switched off and come back.
  bool IsDrained(const std::string& worker_id) const { return drained_.count(worker_id) > 0; }
  int SlotsBusy(const std::string& worker_id) const;
  // Job id -> slots, of the gangs that hold some of this worker.
  const std::map<std::string, int>& SlotsHeld(const std::string& worker_id) const;
  std::string NextJobId() const;  // "j1" is the first

  // A canonical text of everything: equal texts are equal states (tests compare replays by it).
  std::string DebugString() const;

 private:
  void Submit(const Event& event);
  void Control(const JobControlled& controlled);
  void Place(const GangPlaced& placed);
  void End(const GangEnded& ended);
  void AddCheckpoint(const CheckpointManifest& manifest);
  void Pause(const JobPaused& paused);
  void Delete(const std::string& job_id);
  void Register(const WorkerIdentity& worker);
  void Forget(const std::string& worker_id);
  void SetState(JobInfo* job, JobState state);
  absl::Status RestoreJob(const JobRecord& record);

  absl::btree_map<std::string, JobInfo> jobs_;
  absl::btree_map<std::string, WorkerInfo> workers_;
  absl::btree_map<std::string, TeacherRecord> teachers_;
  std::map<std::string, std::string> requests_;
  absl::btree_map<int64_t, std::string> order_;
  // Worker -> job -> slots. Follows from the placements; kept because it is asked for with every heartbeat.
  std::map<std::string, std::map<std::string, int>> slots_held_;
  std::set<std::string> drained_;  // workers, registered or not
  std::array<int, JobState_ARRAYSIZE> jobs_in_state_ = {};
  int slots_ = 0;
  int slots_busy_ = 0;
  int64_t next_sequence_ = 1;
};

bool IsFinal(JobState state);
std::string StateName(JobState state);  // "pending", "succeeded": for people and for labels

// FailedPrecondition, in the words that a fenced rank and its person read, unless `generation` is the job's newest.
absl::Status CheckFence(const JobInfo& job, int64_t generation);

}  // namespace mimeo
