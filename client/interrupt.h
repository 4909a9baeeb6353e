// Ctrl-C while a command follows a job or a stream: the command ends in order, and can say how to come back. A second
// Ctrl-C ends the process at once, and with it its children (base/subprocess.h).
#pragma once

#include <atomic>
#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace mimeo {

// Takes SIGINT and SIGTERM for the rest of the process. To be made before the process has other threads, so before its
// first call to the coordinator. Thread-safe.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  bool wanted() const { return wanted_; }
  // `end` is called once, by another thread, when a signal comes, or now if one has come. It ends the call in progress,
  // or says what happens now; it must not block.
  // Null takes back what was given before: from then on that is not called, nor is it running.
  void OnInterrupt(std::function<void()> end) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Watch() ABSL_LOCKS_EXCLUDED(mu_);

  std::atomic<bool> wanted_{false};
  std::atomic<bool> over_{false};
  absl::Mutex mu_;
  std::function<void()> end_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;
};

}  // namespace mimeo
