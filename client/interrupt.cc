#include "client/interrupt.h"

#include <unistd.h>

#include <utility>

#include "absl/time/time.h"
#include "base/clock.h"
#include "base/process.h"
#include "client/exit_code.h"

namespace mimeo {

Interrupt::Interrupt() {
  BlockStopSignals();
  thread_ = std::thread([this] { Watch(); });
}

Interrupt::~Interrupt() {
  over_ = true;
  thread_.join();
}

void Interrupt::OnInterrupt(std::function<void()> end) {
  absl::MutexLock lock(&mu_);
  end_ = std::move(end);
  if (wanted_ && end_) end_();
}

void Interrupt::Watch() {
  while (!over_) {
    if (!WaitForStopUntil(Clock::Real()->Now() + absl::Milliseconds(100))) continue;
    if (wanted_) _exit(kFailed);
    wanted_ = true;
    absl::MutexLock lock(&mu_);
    if (end_) end_();
  }
}

}  // namespace mimeo
