// The coordinator without its network: the cluster's state, its journal and everything that may change it.
//
// Thread-safe; the only place with a lock. State changes through one door, Commit: check, journal (durable), apply.
// What was said by whom and when is kept apart, is volatile, and is heard again within seconds of a restart. Errors: as
// the methods of the services in proto/coordinator.proto say.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "coordinator/cluster_state.h"
#include "coordinator/coordinator_metrics.h"
#include "coordinator/gang_reports.h"
#include "coordinator/scheduler.h"
#include "proto/coordinator.pb.h"
#include "store/checkpoint_store.h"
#include "store/journal.h"
#include "store/key_value_store.h"
#include "store/metric_store.h"

namespace mimeo {

// (The name Coordinator is the generated service's.)
class CoordinatorCore {
 public:
  // All outlive it.
  CoordinatorCore(KeyValueStore* store, Clock* clock, CoordinatorMetrics* metrics, const SchedulerOptions& options,
                  const JournalBounds& bounds = {})
      : options_(options),
        clock_(clock),
        metrics_(metrics),
        store_(store),
        checkpoints_(store),
        step_metrics_(store),
        journal_(store, bounds),
        scheduler_(&state_, options) {}

  // Loads the journal's snapshot and replays the events behind it; call once, first. DataLoss: an event cannot be read,
  // or contradicts those before it (its number); or the snapshot is damaged.
  absl::Status Recover() ABSL_LOCKS_EXCLUDED(mu_);

  // Decides with the time that has passed, and cuts the journal when it has become long. Call about once a second.
  void Tick() ABSL_LOCKS_EXCLUDED(mu_, commits_mu_);

  // Wakes everybody in AwaitJob, for good.
  void Close() ABSL_LOCKS_EXCLUDED(mu_);

  // For clients.
  absl::StatusOr<std::string> Submit(const SubmitRequest& request) ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<Job> GetJob(const std::string& job_id) const ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<ListJobsReply> ListJobs(const ListJobsRequest& request) const ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<Job> Control(const std::string& job_id, Want want) ABSL_LOCKS_EXCLUDED(mu_);
  // Its bytes are gone too when it returns, or, where the store cannot be written just now, some tick later.
  absl::StatusOr<DeleteJobReply> DeleteJob(const std::string& job_id) ABSL_LOCKS_EXCLUDED(mu_, writes_mu_);
  absl::StatusOr<ExplainReply> ExplainJob(const std::string& job_id) const ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<ListWorkersReply> ListWorkers(const ListWorkersRequest& request) const ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<ListTeachersReply> ListTeachers(const ListTeachersRequest& request) const ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<ListCheckpointsReply> ListCheckpoints(const ListCheckpointsRequest& request) const
      ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<DrainWorkerReply> DrainWorker(const DrainWorkerRequest& request) ABSL_LOCKS_EXCLUDED(mu_);

  // The job once its version is not `seen` (versions grow with each change; 0 is none), or at the deadline whatever it
  // is. Unavailable: closed. NotFound: it is deleted, also while somebody waits.
  struct Sighting {
    Job job;
    int64_t version = 0;
  };
  absl::StatusOr<Sighting> AwaitJob(const std::string& job_id, int64_t seen, absl::Time deadline) const
      ABSL_LOCKS_EXCLUDED(mu_);

  // For workers and teachers.
  absl::Status RegisterWorker(const WorkerIdentity& worker) ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<HeartbeatReply> Heartbeat(const HeartbeatRequest& request) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status LeaveCluster(const LeaveClusterRequest& request) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status TeacherHeartbeat(const TeacherHeartbeatRequest& request) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status ReportSteps(const ReportStepsRequest& request) ABSL_LOCKS_EXCLUDED(mu_, writes_mu_);
  absl::Status CommitCheckpoint(const CheckpointManifest& manifest) ABSL_LOCKS_EXCLUDED(mu_, commits_mu_);
  // Stores a chunk (CheckpointStore::PutChunk). NotFound; FailedPrecondition: the job has no gang, so nobody could
  // commit it.
  absl::Status PutChunk(const ChunkKey& key, absl::string_view sha256, absl::string_view bytes)
      ABSL_LOCKS_EXCLUDED(mu_, writes_mu_);

  // Thread-safe by themselves.
  CheckpointStore& checkpoints() { return checkpoints_; }
  const MetricStore& step_metrics() const { return step_metrics_; }
  CoordinatorMetrics& metrics() { return *metrics_; }
  Clock& clock() { return *clock_; }
  absl::Duration lease() const { return options_.lease; }

  std::string StateForTest() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // The one door: check, journal (durable, together with `extra`), apply. In that order.
  absl::Status Commit(Event event, const WriteBatch& extra = {}) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Puts a snapshot in the place of the journal's events. Takes seconds where there are many jobs, without the lock.
  void CutJournal() ABSL_LOCKS_EXCLUDED(mu_);
  // Commits what Decide says until it says nothing more, or much has been done: the next tick goes on, and others get
  // the lock.
  void DecideAndCommit() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // What a committed event means for what is volatile: versions, reports, numbers, the log.
  void Notice(const Event& event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Touch(const std::string& job_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { ++versions_[job_id]; }
  void CountState() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Deletes chunks that were never committed: all of a final job, and of one that keeps beginning uploads all but those
  // of the uploads that were begun last. Not while a commit is under way: at a later tick then.
  void CleanUploads() ABSL_LOCKS_EXCLUDED(mu_, commits_mu_);
  absl::Status AdmitChunk(const std::string& job_id, const Upload& upload) ABSL_LOCKS_EXCLUDED(mu_);
  void ForgetJob(const std::string& job_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);  // what is volatile of a deleted one
  // Removes the bytes of deleted jobs. What cannot be removed now is tried again by the next tick.
  void RemoveDeleted() ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status CleanUploadsOf(const std::string& job_id) ABSL_LOCKS_EXCLUDED(mu_)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(commits_mu_);

  absl::StatusOr<const JobInfo*> FindJob(const std::string& job_id) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  absl::Status CheckRoom() const ABSL_SHARED_LOCKS_REQUIRED(mu_);  // ResourceExhausted: for no other unfinished job
  // All but the ranks.
  Job Outline(const JobInfo& job) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  // With the ranks; fits into a message whatever they said.
  Job Describe(const JobInfo& job) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  absl::Status CheckIncarnation(const std::string& worker_id, const std::string& incarnation) const
      ABSL_SHARED_LOCKS_REQUIRED(mu_);
  Worker DescribeWorker(const std::string& id) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  void HearRanks(const std::string& worker_id, const google::protobuf::RepeatedPtrField<RankStatus>& ranks)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Tells the gangs on a worker that leaves or is drained to stop after a checkpoint.
  void EmptyWorker(const std::string& id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Likewise the gangs that have waited for their data too long and have a place elsewhere.
  void MoveGangs() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WriteOrders(const std::string& worker_id, HeartbeatReply* reply) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AddOrder(const JobInfo& job, const std::string& worker_id, HeartbeatReply* reply)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  GangAssignment CommonAssignment(const JobInfo& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status CheckCommit(const CheckpointManifest& manifest) const ABSL_LOCKS_EXCLUDED(mu_);

  const SchedulerOptions options_;
  Clock* const clock_;

  // Thread-safe by themselves.
  CoordinatorMetrics* const metrics_;
  KeyValueStore* const store_;
  CheckpointStore checkpoints_;
  MetricStore step_metrics_;

  // Shared from a manifest's verification to its commit: no chunk that was found whole goes away in between.
  absl::Mutex commits_mu_ ABSL_ACQUIRED_BEFORE(mu_);
  // Shared while something of a job is written that was found to be there. A job is deleted under it alone: nothing of
  // it is written afterwards, and its bytes can be removed in peace.
  absl::Mutex writes_mu_ ABSL_ACQUIRED_BEFORE(mu_);
  mutable absl::Mutex mu_;
  Journal journal_ ABSL_GUARDED_BY(mu_);
  ClusterState state_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;

  // Volatile.
  Scheduler scheduler_ ABSL_GUARDED_BY(mu_);  // knows who was heard when
  GangReports reports_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, int64_t> versions_ ABSL_GUARDED_BY(mu_);  // by job; absent: 1 change, its submission
  std::map<std::string, std::string> superseded_workers_ ABSL_GUARDED_BY(mu_);   // id -> the incarnation before
  std::map<std::string, std::string> superseded_teachers_ ABSL_GUARDED_BY(mu_);  // name -> the incarnation before
  std::map<std::string, std::deque<Upload>> uploads_
      ABSL_GUARDED_BY(mu_);                                      // by job: begun last and not committed, in that order
  std::set<std::string> uploads_to_clean_ ABSL_GUARDED_BY(mu_);  // jobs
  std::set<std::string> deleted_ ABSL_GUARDED_BY(mu_);           // jobs whose bytes are to be removed
};

}  // namespace mimeo
