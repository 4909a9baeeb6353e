// Who waits for the log of a rank. The coordinator dials nobody: a wish waits here until a heartbeat of its worker
// takes it along, and the piece of the log comes back in a call of the agent's. Nothing of it is on disk. Thread-safe.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "proto/coordinator.pb.h"

namespace mimeo {

class LogWishes {
 public:
  // `clock` must outlive this object.
  explicit LogWishes(Clock* clock) : clock_(clock) {}

  // Asks a worker for a piece of a log and blocks until it has come. `check` is asked every half second; its error ends
  // the wait. NotFound and other errors of the agent's are returned. ResourceExhausted: limits::kLogWishesPerWorker
  // wait for this worker. Aborted: nothing came within `patience`. Unavailable: Close was called.
  absl::StatusOr<LogPiece> Ask(const std::string& worker_id, LogWish wish, absl::Duration patience,
                               const std::function<absl::Status()>& check) ABSL_LOCKS_EXCLUDED(mu_);

  // Writes the wishes of a worker that are not answered yet into the reply to its heartbeat.
  void Fill(const std::string& worker_id, HeartbeatReply* reply) const ABSL_LOCKS_EXCLUDED(mu_);
  // Gives a piece to whoever waits for it. One that nobody waits for, or that another worker was asked for, is dropped.
  void Take(const std::string& worker_id, const LogPiece& piece) ABSL_LOCKS_EXCLUDED(mu_);
  // Ends every Ask, those to come too.
  void Close() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Waiting {
    std::string worker_id;
    LogWish wish;
    std::optional<LogPiece> piece;
  };
  absl::StatusOr<int64_t> Add(const std::string& worker_id, LogWish wish) ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<LogPiece> Await(int64_t id, absl::Duration patience, const std::function<absl::Status()>& check)
      ABSL_LOCKS_EXCLUDED(mu_);

  Clock* const clock_;
  mutable absl::Mutex mu_;
  std::map<int64_t, Waiting> waiting_ ABSL_GUARDED_BY(mu_);  // by id of the wish
  int64_t next_id_ ABSL_GUARDED_BY(mu_) = 1;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace mimeo
