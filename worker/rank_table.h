// Which rank processes an agent should run, start and stop: what was assigned and what happened go in, actions come out.
//
// Pure: no process, clock, lock, file or RPC inside, so every rule of supervision is tested without a process. One thread.
// A rank process lives for one generation: one that has ended is reported until its generation is no longer assigned, and
// is never started again. Silence of the coordinator calls nothing here, so it stops nothing.
//
//   assigned -> waiting -> (kStart) starting -> running -> ended -> no longer assigned: forgotten
//                                       no longer assigned: killed /
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/subprocess.h"
#include "proto/coordinator.pb.h"

namespace mimeo {

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
std::string ToString(const RankKey& key);  // "j1-g2-r0": also its files' name

struct RankTableOptions {
  int slots = 1;                                    // at most so many rank processes live at one time
  absl::Duration stop_grace = absl::Seconds(10);    // between SIGTERM and SIGKILL; also from the last report to the exit
  absl::Duration hang_at_least = absl::Seconds(60);  // a rank is hung after the longer of this and hang_steps steps
  double hang_steps = 20;
};

struct RankAction {
  enum class Kind { kStart, kTerminate, kKill, kForget };  // kForget: its files and metrics may go
  Kind kind;
  RankKey key;
  int slot = -1;          // kStart: which of the worker's slots, in [0, slots)
  std::string reason;     // kTerminate, kKill: for the log
  bool hang = false;      // kKill: for lack of progress
};

class RankTable {
 public:
  explicit RankTable(const RankTableOptions& options) : options_(options) {}

  // A heartbeat's reply: every rank that should run now. What is not named is killed.
  void Assign(const std::vector<GangAssignment>& assignments);
  // Stops everything and starts nothing more: the agent itself was told to stop.
  void Shutdown();

  // What to do now; each action is given once. Call it at least once a second.
  std::vector<RankAction> Reconcile(absl::Time now);

  void Started(const RankKey& key, pid_t pid, absl::Time now);
  void NotStarted(const RankKey& key, const absl::Status& error);
  // How it goes, as the rank process says. False: no such rank runs here.
  bool Reported(const RankStatus& status, absl::Time now);
  // The process is gone. `log_tail`: the end of what it printed, for a death that it did not explain itself.
  void Ended(const RankKey& key, const ExitStatus& exit, const std::string& log_tail);

  // For the heartbeat, by key. A final phase appears only once the process is gone, and its slot with it.
  std::vector<RankStatus> Statuses() const;
  const GangAssignment* assignment(const RankKey& key) const;  // the newest; nullptr: unknown
  const RankStatus* status(const RankKey& key) const;          // nullptr: unknown
  int Live() const;  // rank processes that exist
  // Grows when the coordinator should hear soon: a phase, a store's address or an end is new.
  int64_t news() const { return news_; }

 private:
  enum class State { kWaiting, kStarting, kRunning, kEnded };
  struct Entry {
    GangAssignment assignment;
    bool named = true;
    State state = State::kWaiting;
    int slot = -1;
    RankStatus status;           // as it is reported on
    RankStatus last_words;       // the final phase that the process announced; unspecified: none yet
    absl::Time progress;         // when the step last changed, or standing still was explained
    absl::Time report;           // when the process was last heard
    absl::Time deadline = absl::InfiniteFuture();  // SIGKILL then
    absl::Duration step_time;    // smoothed; zero: not measured yet
    bool terminated = false;
    bool killed = false;
    absl::Status kill_reason;    // why we killed it, when that is the rank's failure
  };

  void ForgetSleep(absl::Time now);
  void Measure(const RankStatus& status, absl::Time now, Entry* entry) const;
  void ExcuseGang(const RankKey& key, absl::Time now);
  absl::Status HangOf(const Entry& entry, absl::Time now) const;
  void ReconcileWaiting(const RankKey& key, Entry* entry, std::vector<RankAction>* actions);
  void ReconcileRunning(const RankKey& key, absl::Time now, Entry* entry, std::vector<RankAction>* actions) const;
  int FreeSlot() const;  // -1: none

  const RankTableOptions options_;
  std::map<RankKey, Entry> entries_;
  bool shutdown_ = false;
  int64_t news_ = 0;
  absl::Time reconciled_ = absl::InfinitePast();
};

}  // namespace mimeo
