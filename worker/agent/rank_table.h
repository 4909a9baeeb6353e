// Decides which rank processes an agent runs, starts and stops: what was assigned and what happened go in, and actions
// come out.
//
// It is pure: it has no process, clock, lock, file or RPC inside, so every rule of supervision is tested without a
// process. The agent calls it under its lock. A rank process lives for one generation. A rank that has ended is
// reported until its generation is no longer assigned, and is never started again. While the coordinator is silent
// nobody calls Assign, so its silence stops nothing.
//
//   assigned -> waiting -> (kStart) starting -> running -> ended -> no longer assigned: forgotten
//                                       no longer assigned, or told to stop now: killed /
//
// When does a rank hang? A rank is quiet since it last moved, that is, since its count of progress, its step or its
// phase changed. It is not quiet while it says what it waits for (a teacher, the coordinator), or while a rank of its
// gang says so. It is not quiet either while it stands in a collective and a rank of its gang on this worker does not:
// then that other rank is looked at. A rank is killed once it has been quiet for longer than its patience, which is the
// longest of these:
//   - `patience`, an option of the agent;
//   - four times the longest quiet time that it came through in this phase, by which a slow disk or a long operator is
//     known;
//   - while the process uses the CPU, `patience` and the time of that use, up to ten times `patience`: one operator
//     of a big model on a slow core may take minutes, but a loop without end uses the CPU too;
//   - in a collective, ten times `patience`, and four times what the rank took for its own part of this step: it waits
//     for ranks on other workers, which may be slower, and which are looked at there.
// A process that does not report at all is killed after `patience` or four times its longest silence, whichever is
// longer. Before its first report, while it loads its libraries, that is three times `patience`.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/subprocess.h"
#include "proto/agent.pb.h"
#include "proto/coordinator.pb.h"

namespace mimeo {

// Names one rank process: it is never started twice.
struct RankKey {
  std::string job_id;
  int64_t generation = 0;
  int rank = 0;
  bool operator<(const RankKey& other) const {
    return std::tie(job_id, generation, rank) < std::tie(other.job_id, other.generation, other.rank);
  }
  bool operator==(const RankKey& other) const { return !(*this < other) && !(other < *this); }
};
RankKey KeyOf(const GangAssignment& assignment);
RankKey KeyOf(const RankStatus& status);
std::string ToString(const RankKey& key);  // "j1-g2-r0", which its files are named by too

struct RankTableOptions {
  int slots = 1;                                // at most so many rank processes live at one time
  absl::Duration patience = absl::Seconds(60);  // for a rank that does not move; see above
  // How long a process may take to exit after its last report, and to vanish after SIGKILL.
  absl::Duration exit_grace = absl::Seconds(10);
};

// What the agent must do to a process.
struct RankAction {
  enum class Kind { kStart, kKill, kForget };  // kForget: its files and metrics may go
  Kind kind;
  RankKey key;
  int slot = -1;       // kStart: which of the worker's slots, in [0, slots)
  std::string reason;  // kKill: for the log
  bool hang = false;   // kKill: for lack of progress
};

class RankTable {
 public:
  explicit RankTable(const RankTableOptions& options) : options_(options) {}

  // Takes a heartbeat's reply, which names every rank that should run now. What it does not name is killed.
  void Assign(const std::vector<GangAssignment>& assignments);
  // The agent was told to stop: nothing more is started, and what runs is told to take a checkpoint and to end.
  void StopAfterCheckpoint();
  // Nothing more is started, and what runs is killed.
  void Shutdown();

  // Returns what to do now. Each action is given once, and the caller must carry it out. Call it at least once a
  // second.
  std::vector<RankAction> Reconcile(absl::Time now);

  // The answers to kStart: the process runs, or it could not be started, which is the rank's failure.
  void Started(const RankKey& key, pid_t pid, absl::Time now);
  void NotStarted(const RankKey& key, const absl::Status& error);
  // Takes what a rank process says of itself. False: no such rank runs here, and the process should end.
  bool Reported(const ReportRankRequest& report, absl::Time now);
  // The process is gone. `log_tail` is the end of what it printed, and explains a death that the process did not
  // explain itself.
  void Ended(const RankKey& key, const ExitStatus& exit, const std::string& log_tail);

  // What the heartbeat says, by key. A final phase appears only once the process is gone and its slot is free. The
  // exception is a process that does not die of SIGKILL, as when the kernel waits for a dead disk: its failure is
  // reported, and its slot stays taken.
  std::vector<RankStatus> Statuses(absl::Time now) const;
  const GangAssignment* assignment(const RankKey& key) const;  // the newest; nullptr: unknown
  const RankStatus* status(const RankKey& key) const;          // nullptr: unknown
  int Live() const;                                            // rank processes that exist
  bool Idle() const;                                           // every rank has ended, or does not die
  // Grows when the coordinator should hear something soon: a new phase, the address of a store, a teacher, or an end.
  int64_t news() const { return news_; }

 private:
  enum class Mode { kServing, kLeaving, kShutDown };
  enum class State { kWaiting, kStarting, kRunning, kEnded };
  struct Entry {
    GangAssignment assignment;
    bool named = true;
    State state = State::kWaiting;
    int slot = -1;
    RankStatus status;                             // as it is reported on
    RankStatus last_words;                         // the final phase that the process announced; unspecified: none yet
    absl::Time waiting = absl::InfiniteFuture();   // kWaiting: since then for a slot
    absl::Time deadline = absl::InfiniteFuture();  // of the process's exit after its last words

    absl::Time report;  // when the process was last heard, or started
    bool heard = false;
    absl::Time moved;       // it is quiet since then
    absl::Time step_began;  // its step or phase last changed
    bool in_collective = false;
    absl::Time computed;  // it was last seen to use the CPU
    absl::Time cpu_seen;  // when `cpu` was noted
    absl::Duration cpu;
    // By phase, and by whether the rank stood in a collective.
    std::map<std::pair<RankPhase, bool>, absl::Duration> longest_quiet;
    absl::Duration longest_silence;

    absl::Time killed = absl::InfiniteFuture();  // when we killed it
    absl::Status kill_reason;                    // why, when that is the rank's failure
    bool stopped = false;                        // we killed it as somebody wished: no failure
    bool undead = false;                         // it does not die
  };

  void ForgetSleep(absl::Time now);
  void Move(const RankStatus& status, absl::Time now, Entry* entry) const;
  void SeeCpu(absl::Duration cpu, absl::Time now, Entry* entry) const;
  void ExcuseGang(const RankKey& key, absl::Time now);
  static void Excuse(absl::Time now, Entry* entry);
  bool WaitsForRankHere(const RankKey& key, const Entry& entry) const;
  absl::Duration Patience(const Entry& entry) const;
  absl::Status HangOf(const Entry& entry, absl::Time now) const;
  void ReconcileWaiting(const RankKey& key, absl::Time now, Entry* entry, std::vector<RankAction>* actions);
  void ReconcileRunning(const RankKey& key, absl::Time now, Entry* entry, std::vector<RankAction>* actions);
  static bool NothingToSave(const Entry& entry);
  void GiveUp(absl::Time now, Entry* entry);
  void SetDeath(const std::string& how, absl::StatusCode code, Entry* entry) const;
  int FreeSlot() const;  // -1: none
  std::string SlotHolders() const;

  const RankTableOptions options_;
  std::map<RankKey, Entry> entries_;
  Mode mode_ = Mode::kServing;
  int64_t news_ = 0;
  absl::Time reconciled_ = absl::InfinitePast();
};

}  // namespace mimeo
