// The coordinator without its network: the state of the cluster, its journal, and everything that may change them. The
// gRPC services and the main loop call it, and it calls nobody but the store.
//
// Thread-safe: it is the only part of the coordinator with a lock around the state. The state changes in one place,
// Commit: an event is checked, written to the journal and synced, and then applied, all under the lock. So a method
// that changes something blocks for one sync of the disk or a few, and the others wait for it meanwhile. What the
// workers and teachers said last, and when, is kept beside the state and not on disk: they say it all again within
// seconds of a restart.
//
// Errors of the methods are those that proto/coordinator.proto lists for the calls of the same names. Each method may
// also return ResourceExhausted when the disk is full and Unavailable when it fails. Then the event did not happen, and
// the caller may try again.
#pragma once

#include <deque>
#include <functional>
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
#include "coordinator/log_wishes.h"
#include "coordinator/scheduler.h"
#include "proto/coordinator.pb.h"
#include "store/checkpoint_store.h"
#include "store/journal.h"
#include "store/key_value_store.h"
#include "store/metric_store.h"

namespace mimeo {

// It is not called Coordinator, because that is the name of the generated gRPC service.
class CoordinatorCore {
 public:
  // `store`, `clock` and `metrics` must outlive this object. Call Recover next.
  CoordinatorCore(KeyValueStore* store, Clock* clock, CoordinatorMetrics* metrics, const SchedulerOptions& options,
                  const JournalBounds& bounds = {})
      : options_(options),
        clock_(clock),
        metrics_(metrics),
        store_(store),
        checkpoints_(store),
        step_metrics_(store),
        log_wishes_(clock),
        journal_(store, bounds),
        scheduler_(&state_, options) {}

  // Makes the state from the journal: its snapshot and the events behind it. Call it once, before anything else.
  // DataLoss: an event cannot be read or contradicts those before it, or the snapshot is damaged; the error has the
  // number of the entry. Then this object is of no use, and a person runs `coordinator --repair`.
  absl::Status Recover() ABSL_LOCKS_EXCLUDED(mu_);

  // Does what the passing of time calls for: decides about gangs, cuts the journal when it has become long, and deletes
  // chunks that nobody needs. One thread calls it about once a second. What fails on a full disk is logged and tried
  // again by the next call.
  void Tick() ABSL_LOCKS_EXCLUDED(mu_, commits_mu_);

  // Ends every AwaitJob, those to come too, so that the streams of a server that shuts down end. Nothing else changes.
  void Close() ABSL_LOCKS_EXCLUDED(mu_);

  // For clients.

  // Returns the id of the new job. The same request id again returns the same job and submits nothing, so a client that
  // got no answer asks again. InvalidArgument lists every problem of the spec.
  absl::StatusOr<std::string> Submit(const SubmitRequest& request) ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<Job> GetJob(const std::string& job_id) const ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<ListJobsReply> ListJobs(const ListJobsRequest& request) const ABSL_LOCKS_EXCLUDED(mu_);
  // Writes down what a person wants of the job: that it runs, pauses or is cancelled. It returns at once; the gang
  // follows with its next heartbeats. To want the same again changes nothing, except that to resume a job that waits
  // after failures forgives them.
  // `user`: who asked, as the client says; nobody proves it.
  absl::StatusOr<Job> Control(const std::string& job_id, Want want, const std::string& user = "")
      ABSL_LOCKS_EXCLUDED(mu_);
  // Lets a job that has succeeded go on with a longer schedule (proto/coordinator.proto, ExtendJob).
  absl::StatusOr<Job> ExtendJob(const ExtendJobRequest& request) ABSL_LOCKS_EXCLUDED(mu_);
  // Deletes a job that has ended, with all that the store holds of it, and says how many bytes its checkpoints had.
  // Where the bytes cannot be removed now, a later Tick removes them. FailedPrecondition: the job has not ended.
  absl::StatusOr<DeleteJobReply> DeleteJob(const std::string& job_id) ABSL_LOCKS_EXCLUDED(mu_, writes_mu_);
  absl::StatusOr<ExplainReply> ExplainJob(const std::string& job_id) const ABSL_LOCKS_EXCLUDED(mu_);
  // The lines of the job's history with a number greater than `after_number`.
  absl::StatusOr<EventsReply> History(const std::string& job_id, int64_t after_number) const ABSL_LOCKS_EXCLUDED(mu_);

  // Where a rank runs or ran. Generation 0 is the newest. NotFound: there was no such rank or generation, or it is not
  // known any more.
  struct RankPlace {
    std::string worker_id;
    int64_t generation = 0;
    bool runs = false;  // its generation has the slots
  };
  absl::StatusOr<RankPlace> FindRank(const std::string& job_id, int64_t generation, int rank) const
      ABSL_LOCKS_EXCLUDED(mu_);
  // Asks a worker for a piece of a log and blocks until it comes. Errors are those of LogWishes::Ask and of `check`.
  // Aborted: the worker is silent or gone.
  absl::StatusOr<LogPiece> AskForLog(const std::string& worker_id, const LogWish& wish,
                                     const std::function<absl::Status()>& check) ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<ListWorkersReply> ListWorkers(const ListWorkersRequest& request) const ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<ListTeachersReply> ListTeachers(const ListTeachersRequest& request) const ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<ListCheckpointsReply> ListCheckpoints(const ListCheckpointsRequest& request) const
      ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<DrainWorkerReply> DrainWorker(const DrainWorkerRequest& request) ABSL_LOCKS_EXCLUDED(mu_);

  // Waits for a change of a job. Each job has a version that grows with each change, and no version is 0. Returns the
  // job when its version is not `seen`, or at the deadline as it then is. NotFound: there is no such job, or it was
  // deleted during the wait. Unavailable: Close was called.
  struct Sighting {
    Job job;
    int64_t version = 0;
  };
  absl::StatusOr<Sighting> AwaitJob(const std::string& job_id, int64_t seen, absl::Time deadline) const
      ABSL_LOCKS_EXCLUDED(mu_);

  // For workers and teachers. All of these may be repeated when the answer was lost.
  absl::Status RegisterWorker(const WorkerIdentity& worker) ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<HeartbeatReply> Heartbeat(const HeartbeatRequest& request) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status LeaveCluster(const LeaveClusterRequest& request) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status TeacherHeartbeat(const TeacherHeartbeatRequest& request) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status SendLogs(const SendLogsRequest& request) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status ReportSteps(const ReportStepsRequest& request) ABSL_LOCKS_EXCLUDED(mu_, writes_mu_);
  absl::Status CommitCheckpoint(const CheckpointManifest& manifest) ABSL_LOCKS_EXCLUDED(mu_, commits_mu_);
  // Stores a chunk as CheckpointStore::PutChunk does, without the lock around the state. NotFound: there is no such
  // job. FailedPrecondition: the job has no gang, so nobody could commit the chunk, and the upload should end.
  absl::Status PutChunk(const ChunkKey& key, absl::string_view sha256, absl::string_view bytes)
      ABSL_LOCKS_EXCLUDED(mu_, writes_mu_);

  // These are thread-safe by themselves.
  CheckpointStore& checkpoints() { return checkpoints_; }
  const MetricStore& step_metrics() const { return step_metrics_; }
  CoordinatorMetrics& metrics() { return *metrics_; }
  Clock& clock() { return *clock_; }
  absl::Duration lease() const { return options_.lease; }

  // ClusterState::DebugString, to compare two coordinators.
  std::string StateForTest() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // The one place in which the state changes: checks the event, writes it to the journal together with `extra`, and
  // applies it. After an error nothing has changed.
  absl::Status Commit(Event event, const WriteBatch& extra = {}) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Puts a snapshot in the place of the journal's events. Takes seconds where there are many jobs, without the lock.
  void CutJournal() ABSL_LOCKS_EXCLUDED(mu_);
  // Commits what the scheduler decides until it decides nothing more. After many events it stops, so that others get
  // the lock, and the next tick goes on.
  void DecideAndCommit() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // What a committed event means for what is volatile: versions, reports, numbers, the log.
  void Notice(const Event& event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Touch(const std::string& job_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { ++versions_[job_id]; }
  // Of the ranks: how fast they are, and how long the job still takes at that rate.
  void DescribeRate(const JobInfo& job, Job* described) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  absl::Status CheckHeard(const std::string& worker_id) const ABSL_LOCKS_EXCLUDED(mu_);
  void CountState() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Deletes chunks that were never committed: of a job that has ended all of them, and of one that begins upload after
  // upload all but those of the newest uploads. While a commit is under way it does nothing, and a later tick does it.
  void CleanUploads() ABSL_LOCKS_EXCLUDED(mu_, commits_mu_);
  absl::Status AdmitChunk(const std::string& job_id, const Upload& upload) ABSL_LOCKS_EXCLUDED(mu_);
  // Drops what is kept of a deleted job beside the state.
  void ForgetJob(const std::string& job_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Removes the bytes of deleted jobs. What cannot be removed now is tried again by the next tick.
  void RemoveDeleted() ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status CleanUploadsOf(const std::string& job_id) ABSL_LOCKS_EXCLUDED(mu_)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(commits_mu_);

  absl::StatusOr<const JobInfo*> FindJob(const std::string& job_id) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  // ResourceExhausted: there are as many unfinished jobs as there may be.
  absl::Status CheckRoom() const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  // The job without its ranks.
  Job Outline(const JobInfo& job) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  // The job with its ranks, cut so that it fits into a message whatever they said.
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

  // These are thread-safe by themselves.
  CoordinatorMetrics* const metrics_;
  KeyValueStore* const store_;
  CheckpointStore checkpoints_;
  MetricStore step_metrics_;
  LogWishes log_wishes_;

  // Held shared from the moment a manifest is checked until it is committed, so that no chunk which was found whole is
  // deleted in between.
  absl::Mutex commits_mu_ ABSL_ACQUIRED_BEFORE(mu_);
  // Held shared by a writer from the moment it finds that a job exists until it has written something of that job. A
  // job is deleted while it is held exclusively. So nothing of a deleted job is written later, and its bytes can be
  // removed.
  absl::Mutex writes_mu_ ABSL_ACQUIRED_BEFORE(mu_);
  mutable absl::Mutex mu_;
  Journal journal_ ABSL_GUARDED_BY(mu_);
  ClusterState state_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;

  // Not on disk.
  Scheduler scheduler_ ABSL_GUARDED_BY(mu_);  // it knows who was heard when
  GangReports reports_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, int64_t> versions_ ABSL_GUARDED_BY(mu_);  // by job; one that is not here has version 1
  std::map<std::string, std::string> superseded_workers_ ABSL_GUARDED_BY(mu_);   // id -> the incarnation before
  std::map<std::string, std::string> superseded_teachers_ ABSL_GUARDED_BY(mu_);  // name -> the incarnation before
  // By job: the newest uploads that are not committed, the newest last.
  std::map<std::string, std::deque<Upload>> uploads_ ABSL_GUARDED_BY(mu_);
  std::set<std::string> uploads_to_clean_ ABSL_GUARDED_BY(mu_);  // jobs
  std::set<std::string> deleted_ ABSL_GUARDED_BY(mu_);           // jobs whose bytes are still to be removed
};

}  // namespace mimeo
