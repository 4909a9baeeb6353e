// Decides what should happen to the cluster now, and says why. It changes nothing itself: CoordinatorCore commits what
// it decides, and tells it of each event that was applied. To ask twice gives the same decisions.
//
// Silence never stops a gang. When a worker is silent for longer than its lease, its gangs may be replaced elsewhere,
// and the fence then keeps the old generation from committing anything.
//
// The queue is strict. A higher priority comes first, and within one priority the job that was submitted first. While a
// job waits for slots, nothing behind it is placed, even if it would fit; so a large gang gets its turn. Three kinds of
// waiting hold nobody up, because free slots would not end them: waiting for a teacher, for the end of a pause after
// failures, and for workers that are not there. (The last is a gang that would not fit on the workers that are alive
// even if all of them were idle.)
//
// All that it remembers follows from the state, and from who said what and when. After a restart of the coordinator
// only the latter is lost, and is heard again. It is kept in order, so that a decision costs what has changed and not
// the number of jobs and workers. Reasons are put into words only when somebody asks. All times are Now() of the clock.
// Thread-compatible: the lock of CoordinatorCore guards it.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "base/limits.h"
#include "coordinator/blame.h"
#include "coordinator/cluster_state.h"
#include "coordinator/gang_reports.h"
#include "coordinator/job_queue.h"
#include "coordinator/placement.h"

namespace mimeo {

struct SchedulerOptions {
  absl::Duration lease = limits::kLease;
  absl::Duration data_patience = limits::kDataPatience;  // before the first move; DecideMoves says how it grows
  // A worker without ranks, and a teacher that no unfinished job needs, is forgotten when it has been silent for so
  // many leases.
  int forget_after_leases = 10;
};

class Scheduler {
 public:
  // `state` must outlive this object. The caller changes it only by events, and tells of each with Applied.
  Scheduler(const ClusterState* state, const SchedulerOptions& options) : state_(*state), options_(options) {}

  // Begins to listen. Call it once, when the journal is replayed. Silence is counted from `now` on, because what was
  // before is not known: a restart of the coordinator makes nobody look dead.
  void Begin(absl::Time now);

  // Tells that `event` was applied to the state. For a GangEnded, `advanced` says whether the gang had trained a step
  // beyond the checkpoint from which it started.
  void Applied(const Event& event, absl::Time now, bool advanced = false);

  // A worker or a teacher was heard. `leaving`: its agent said that it ends. Returns whether there may be something new
  // to decide. REQUIRES: it is registered.
  bool HearWorker(const std::string& id, absl::Time now, bool leaving = false);
  bool HearTeacher(const std::string& name, absl::Time now);

  // Where ranks of the job's newest gang wait for their data. Nobody waits when `wait.workers` is empty.
  void HearDataWait(const JobInfo& job, const DataWait& wait);

  // The gangs that should move: they have waited for their data longer than the patience, and other workers have room
  // for them now. The caller makes each of them stop after a checkpoint, with a GangEnded that names the workers in
  // `from`. Until then the slots elsewhere are kept for it. Each gang is named once. With each move in a row the
  // patience grows by RestartPause (coordinator/blame.h), so a gang whose data nobody sees does not move without end.
  struct Move {
    std::string job_id;
    std::vector<WorkerFailure> from;
  };
  std::vector<Move> DecideMoves(absl::Time now);

  // What to commit next, in this order. Each event is legal after those before it. Some decisions follow from others:
  // first a gang ends, then its job fails. So the caller commits these events and asks again until none come.
  std::vector<Event> Decide(absl::Time now);

  // Why the job runs or does not run, for people: reasons with numbers, the most important first. Empty when there is
  // no such job.
  std::vector<std::string> Explain(const std::string& job_id, absl::Time now) const;
  // The first of these reasons, for lists: without the workers' notes it costs little.
  std::string Reason(const JobInfo& job, absl::Time now) const;
  // The workers of the job's gang that missed heartbeats: "host1 silent 43 s; given up at 60 s". Empty: none.
  std::string GangSilence(const JobInfo& job, absl::Time now) const;
  // Why nothing is placed on this worker, or what failed there lately and until when that counts. Empty when all is
  // well.
  std::string WorkerNote(const std::string& id, absl::Time now) const;

  // For how long nothing was heard, counted from Begin at the earliest. Zero when nobody of this name is registered.
  absl::Duration WorkerSilence(const std::string& id, absl::Time now) const;
  absl::Duration TeacherSilence(const std::string& name, absl::Time now) const;
  bool WasHeard(const std::string& worker_id) const;   // by this coordinator, since it started
  bool IsLeaving(const std::string& worker_id) const;  // it said so
  // Whether a new gang may be placed there now.
  bool IsOffered(const std::string& worker_id, absl::Time now) const;
  // Whether its gangs are told to stop after a checkpoint, and go elsewhere.
  bool MustEmpty(const std::string& worker_id) const { return IsLeaving(worker_id) || state_.IsDrained(worker_id); }
  int num_silent() const { return num_expired_; }  // workers whose lease has expired
  const Blame& blame() const { return blame_; }
  // How many workers the next decision looks at although nobody said anything about them: heartbeats that come in time
  // should cost nothing.
  size_t WorkersDueForTest(absl::Time now) const;

 private:
  struct Heard {
    absl::Time at = {};    // or when this coordinator began to listen
    bool ever = false;     // by this coordinator
    bool leaving = false;  // a worker said so
    bool expired = false;  // silent for longer than the lease
    bool forgettable = false;
    absl::Time wake = {};  // when one of the above may change though nobody says anything
  };
  using Watches = absl::flat_hash_map<std::string, Heard>;
  using Alarms = std::set<std::pair<absl::Time, std::string>>;

  // What is remembered of a job's failures beside its state.
  struct Trouble {
    absl::Time failed_at;
    bool advanced = false;  // the newest gang
    bool trained = false;   // any of them
    // The workers where it failed without training a step, until there is a new checkpoint or a person forgives.
    std::set<std::string> avoided;
    int moves = 0;  // in a row, away from workers that did not see its data
  };
  struct DataWatch {
    DataWait wait;
    absl::Time look = absl::InfiniteFuture();  // when to look for room elsewhere
    std::map<std::string, int> kept;           // slots that it is about to move to, by worker
  };
  enum class Turn { kQueue, kLater, kFail, kPause };
  struct Verdict {
    Turn turn = Turn::kQueue;
    absl::Time due = {};  // kLater
  };

  // Where a job stands, after something about it has changed.
  void Refile(const JobInfo& job, absl::Time now);
  void FileIdle(const JobInfo& job, absl::Time now);
  void CountNeeds(const JobInfo& job);
  void RefileSoon(absl::Time now);  // what time or new workers have brought about
  Verdict Judge(const JobInfo& job, absl::Time now) const;
  bool AsksAnotherHost(const JobInfo& job) const;
  bool FitsElsewhere(const JobInfo& job) const;  // without the workers that it avoids, if the others were idle
  bool FitsWithout(const JobInfo& job, const std::set<std::string>& workers) const;
  const std::set<std::string>& Avoided(const JobInfo& job) const;
  std::set<std::string> AvoidedAfterMove(const JobInfo& job, const std::vector<WorkerFailure>& from) const;
  void NoteFailure(const GangEnded& ended, absl::Time now, bool advanced);
  void NoteMove(const GangEnded& ended, absl::Time now);
  void ForgetBlame(const JobInfo& job, absl::Time now);
  void ForgetDataWait(const std::string& job_id);
  absl::Time MovesAt(const JobInfo& job, const DataWait& wait) const;
  bool MayMove(const JobInfo& job, const DataWait& wait, absl::Time now) const;
  std::vector<std::string> PlaceToMoveTo(const JobInfo& job, const DataWait& wait) const;
  // The gang's own slots, and none that are kept for others.
  std::map<std::string, int> RoomOf(const JobInfo& job) const;

  // What a worker or a teacher is worth, after something about it, or the time, has changed.
  void RefreshWorker(const std::string& id, absl::Time now);
  void RefreshTeacher(const std::string& name, absl::Time now);
  Tier TierOf(const std::string& id, const Heard& heard, absl::Time now) const;
  absl::Time NextChange(const std::string& id, const Heard& heard, absl::Time now) const;
  void SetExpired(const std::string& id, bool expired, absl::Time now);
  void SetCapacities();  // of the queue, after slots came or went
  static void SetAlarm(const std::string& name, absl::Time at, Heard* heard, Alarms* alarms);
  absl::Duration QuietAfter() const;
  absl::Duration ForgetAfter() const { return options_.lease * options_.forget_after_leases; }

  void DecideEnds(absl::Time now, std::vector<Event>* events);
  void DecideKept(std::vector<Event>* events) const;
  void DecideForgotten(std::vector<Event>* events) const;
  void DecidePlacement(std::vector<Event>* events) const;
  void Settle(const JobInfo& job, absl::Time now, std::vector<Event>* events) const;
  bool Replace(const JobInfo& job, std::vector<Event>* events) const;
  std::vector<std::string> FindPlace(const JobInfo& job, const std::set<std::string>& avoided) const;
  std::string Lapse(const JobInfo& job) const;  // which of its workers' leases have expired; empty when none has
  bool KeepsTooMany(const JobInfo& job) const;

  std::string ReasonOf(const JobInfo& job, absl::Time now) const;
  std::string SilenceText(absl::Duration silence) const;
  std::string QueueReason(const JobInfo& job, absl::Time now) const;
  std::string DataReason(const JobInfo& job, const DataWatch& watch, absl::Time now) const;
  std::string MissingTeacher(const JobInfo& job) const;
  std::string SlotsReason(const JobInfo& job, absl::Time now) const;
  void ExplainWorkers(const JobInfo& job, absl::Time now, std::vector<std::string>* reasons) const;

  const ClusterState& state_;
  const SchedulerOptions options_;

  Watches workers_;
  Watches teachers_;
  Alarms worker_alarms_;
  Alarms teacher_alarms_;
  Blame blame_;
  std::map<std::string, Trouble> troubles_;      // by job
  std::map<std::string, DataWatch> data_waits_;  // by job, of gangs that wait for their data
  Alarms data_looks_;                            // jobs
  std::set<std::string> moving_;                 // jobs whose gang was told to

  mutable SlotIndex slots_;  // of workers that are alive and need not be empty; const methods leave it as it was
  int num_expired_ = 0;
  std::set<std::string> forgettable_workers_;
  std::set<std::string> forgettable_teachers_;

  JobQueue queue_;
  std::set<std::pair<absl::Time, std::string>> later_;  // jobs in back-off, by its end
  std::map<std::string, absl::Time> later_until_;       // by job
  bool look_elsewhere_ = false;                         // there are more slots than when those were put off
  std::set<std::string> unsettled_;                     // jobs that end, or pause, or whose gang ends
  std::set<QueuePosition> lost_;                        // jobs whose gang has an expired worker
  std::set<std::string> keeps_too_many_;                // jobs with more checkpoints than they keep
  std::map<std::string, std::set<std::string>> gangs_;  // job -> its gang's workers
  absl::flat_hash_set<std::string> unfinished_;         // jobs
  std::map<std::string, int> needs_;                    // teacher -> unfinished jobs
};

}  // namespace mimeo
