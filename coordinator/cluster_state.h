// What the cluster is: jobs, workers and teachers, as a function of the events so far and of nothing else. There is no
// clock, lock, disk or message in it, so the same events give an equal state at any time and in any process. Its maps
// are ordered, because decisions walk through them and must come out the same. Pure; thread-compatible: the lock of
// CoordinatorCore guards the one that a coordinator has.
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

// Where the ranks of one generation ran. It is kept so that their logs can be asked for when they have ended.
struct PastGeneration {
  int64_t generation = 0;
  std::vector<std::string> workers;  // by rank
};
constexpr size_t kGenerationsKept = 8;

// A job and what has happened to it. Every field is in JobRecord of proto/snapshot.proto too.
struct JobInfo {
  std::string id;
  int64_t sequence = 0;    // order of submission
  std::string request_id;  // of its submission
  JobSpec spec;            // resolved
  JobState state = JOB_STATE_PENDING;
  Want want = WANT_RUN;
  std::string reason;      // of the newest change, for people
  int status_code = 0;     // the absl::StatusCode of the newest failure; 0: none, or it is forgiven
  int64_t generation = 0;  // the newest; 0: there was none
  // The worker of each rank. Empty while no gang has slots.
  std::vector<std::string> placement;
  // The step of the checkpoint from which the newest generation started. 0: it started from the beginning.
  int64_t resume_step = 0;
  // How many generations failed since the last new checkpoint. A person who resumes the job forgives them.
  int failures_in_a_row = 0;
  bool failed_for_good = false;  // no other generation would help
  bool needs_person = false;     // no other generation would help before a person has mended something
  bool paused_itself = false;    // the event JobPaused paused it, and no person
  // The workers on which those generations failed, or which they left because they did not see their data. There is one
  // failure for each worker, its newest; the newest of all stands last. There are at most limits::kFailuresNamed.
  std::vector<WorkerFailure> failures;
  // What the first rank found that opened the data, pinned from then on. Empty and 0 before.
  std::string dataset_digest;
  int64_t num_samples = 0;
  int64_t total_steps = 0;
  std::map<std::string, TeacherContract> teachers;  // by name, each pinned at its first use
  std::vector<int64_t> checkpoint_steps;            // of the committed checkpoints that are kept, ascending
  int64_t submitted_unix_ms = 0;
  std::vector<DataContents> data;           // what its data sets leave out, as it was last journalled
  std::string owner;                        // who submitted it, as the client said; nobody proves it
  int64_t started_unix_ms = 0;              // its first generation was placed; 0: none was
  int64_t finished_unix_ms = 0;             // 0: it has not ended
  std::vector<HistoryEntry> history;        // what happened to it (coordinator/job_history.h)
  std::vector<PastGeneration> generations;  // the newest, the newest last, at most kGenerationsKept
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
  // Whether this new event may happen: whether it is possible in this state, and within the limits of this version.
  // InvalidArgument: a field is wrong in itself; the error names it. FailedPrecondition: the state does not allow it,
  // as for a fenced generation. NotFound: there is no such job, worker or teacher. AlreadyExists: the request id was
  // used before. ResourceExhausted: there are as many of something as there may be.
  absl::Status Check(const Event& event) const;
  // The same for an event of the journal: only whether it contradicts those before it. The version that wrote it may
  // have had wider limits.
  absl::Status CheckReplayed(const Event& event) const;
  // Changes the state. REQUIRES: CheckReplayed(event).ok()
  void Apply(const Event& event);

  // Calls `visit` with the whole state in records, always in the same order. An empty ClusterState that restores them
  // one by one, in that order, is equal to this one.
  void Snapshot(absl::FunctionRef<void(const SnapshotRecord&)> visit) const;
  // Takes one record of a snapshot. InvalidArgument: the record contradicts those before it, or is of a newer version.
  absl::Status Restore(const SnapshotRecord& record);

  const absl::btree_map<std::string, JobInfo>& jobs() const { return jobs_; }
  const absl::btree_map<std::string, WorkerInfo>& workers() const { return workers_; }
  const absl::btree_map<std::string, TeacherRecord>& teachers() const { return teachers_; }
  const std::map<std::string, std::string>& requests() const { return requests_; }  // request id -> job id
  const absl::btree_map<int64_t, std::string>& order() const { return order_; }     // sequence -> job id

  // These counts are kept and not computed anew, because they are asked for with every event.
  int NumJobs(JobState state) const { return jobs_in_state_[state]; }
  int NumUnfinished() const;
  int64_t num_slots() const { return slots_; }
  int num_slots_busy() const { return slots_busy_; }

  // Whether a person drained this worker. It need not be registered now: a drained host may be switched off, and it is
  // still drained when it comes back.
  bool IsDrained(const std::string& worker_id) const { return drained_.count(worker_id) > 0; }
  int SlotsBusy(const std::string& worker_id) const;
  // How many slots of this worker the gang of each job holds. Only jobs that hold some are in it.
  const std::map<std::string, int>& SlotsHeld(const std::string& worker_id) const;
  // The id that the next submitted job must have. The first one is "j1", and no id is used twice.
  std::string NextJobId() const;

  // A text of the whole state. Equal texts mean equal states: tests compare a replay with the original by it.
  std::string DebugString() const;

 private:
  void ApplyKind(const Event& event);
  void Submit(const Event& event);
  void Extend(const JobExtended& extended);
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
  // Worker -> job -> slots. It follows from the placements, and is kept because it is asked for with every heartbeat.
  std::map<std::string, std::map<std::string, int>> slots_held_;
  std::set<std::string> drained_;  // workers, registered or not
  std::array<int, JobState_ARRAYSIZE> jobs_in_state_ = {};
  int64_t slots_ = 0;  // each worker may claim as many as an int holds
  int slots_busy_ = 0;
  int64_t next_sequence_ = 1;
};

// Whether a job in this state has ended: succeeded, failed or cancelled. A person may still resume a failed job.
bool IsFinal(JobState state);

// The fence: OK only for the newest generation of the job. Otherwise FailedPrecondition, in words that the fenced rank
// logs and its person reads.
absl::Status CheckFence(const JobInfo& job, int64_t generation);

}  // namespace mimeo
