// The only file that reads the machine's clock.
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "base/clock.h"

namespace mimeo {
namespace {

using Steady = std::chrono::steady_clock;

// Ends waits at their deadline, by the monotonic clock. (absl::Mutex's own waits with a deadline count by the wall
// clock: one of a second lasts a day longer when the clock is set back by a day.) Thread-safe; one thread of its own,
// which is never joined.
class Alarms {
 public:
  bool Await(absl::Mutex* mu, const absl::Condition& ready, Steady::time_point deadline)
      ABSL_SHARED_LOCKS_REQUIRED(mu) {
    Alarm alarm{mu};
    const auto place = Add(&alarm, deadline);
    const auto over = [&] { return alarm.rung || ready.Eval(); };
    mu->Await(absl::Condition(&over));
    Remove(&alarm, place);
    return ready.Eval();
  }

 private:
  struct Alarm {
    absl::Mutex* mu;
    bool rung = false;  // guarded by *mu
    bool due = true;    // still in due_; guarded by lock_
  };
  using Due = std::multimap<Steady::time_point, Alarm*>;

  // Signals are for the threads of whoever asked for this one: it must not be the one that takes a SIGTERM.
  void Start() {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = new std::thread([this] { Run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  Due::iterator Add(Alarm* alarm, Steady::time_point deadline) {
    const std::lock_guard<std::mutex> lock(lock_);
    if (thread_ == nullptr) Start();
    const auto place = due_.emplace(deadline, alarm);
    if (place == due_.begin()) changed_.notify_one();
    return place;
  }

  void Remove(const Alarm* alarm, Due::iterator place) {
    const std::lock_guard<std::mutex> lock(lock_);
    if (alarm->due) due_.erase(place);
  }

  // The waiter cannot leave Remove, and so neither its alarm nor its mutex can go, while this holds lock_.
  void Run() {
    std::unique_lock<std::mutex> lock(lock_);
    while (true) {
      if (due_.empty()) {
        changed_.wait(lock);
      } else if (const auto first = due_.begin()->first; first > Steady::now()) {
        changed_.wait_until(lock, first);
      } else if (!RingFirst()) {
        changed_.wait_for(lock, std::chrono::milliseconds(1));
      }
    }
  }

  // False: somebody holds its mutex. To wait for it here would hold up all others, and could wait for a waiter that is
  // in Add.
  bool RingFirst() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    const auto now = Steady::now();
    for (auto it = due_.begin(); it != due_.end() && it->first <= now; ++it) {
      Alarm* const alarm = it->second;
      if (!alarm->mu->TryLock()) continue;
      alarm->rung = true;
      alarm->due = false;
      due_.erase(it);
      alarm->mu->Unlock();  // here the waiter's condition is found to hold
      return true;
    }
    return false;
  }

  std::mutex lock_;
  std::condition_variable changed_;
  Due due_;
  std::thread* thread_ = nullptr;
};

class RealClock : public Clock {
 public:
  absl::Time Now() const override { return wall_at_start_ + absl::FromChrono(Steady::now() - start_); }
  absl::Time Wall() const override { return absl::Now(); }
  bool Await(absl::Mutex* mu, const absl::Condition& ready, absl::Time deadline) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    if (deadline == absl::InfiniteFuture()) {
      mu->Await(ready);
      return true;
    }
    if (ready.Eval()) return true;
    const absl::Duration left = deadline - Now();
    if (left <= absl::ZeroDuration()) return false;
    // Longer waits than a year end early, in a wait that its caller repeats.
    const auto patience = absl::ToChronoNanoseconds(std::min(left, absl::Hours(24 * 365)));
    return alarms_.Await(mu, ready, Steady::now() + patience);
  }

 private:
  const Steady::time_point start_ = Steady::now();
  const absl::Time wall_at_start_ = absl::Now();
  Alarms alarms_;
};

}  // namespace

Clock* Clock::Real() {
  static Clock* const clock = new RealClock;
  return clock;
}

}  // namespace mimeo
