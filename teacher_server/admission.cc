#include "teacher_server/admission.h"

#include <vector>

#include "absl/strings/str_cat.h"

namespace mimeo {

void Admission::Acquire(Cost cost, Granted granted) {
  if (cost.images > capacity_.images || cost.bytes > capacity_.bytes) {
    granted(absl::InvalidArgumentError(absl::StrCat("a request of ", cost.images, " images and ", cost.bytes,
                                                    " bytes, answer included, is over the teacher's ", capacity_.images,
                                                    " images and ", capacity_.bytes, " bytes")));
    return;
  }
  bool closed = false;
  {
    absl::MutexLock lock(&mu_);
    closed = closed_;
    if (!closed_) {
      if (!waiters_.empty() || !Fits(cost)) {
        waiters_.push_back({cost, std::move(granted)});
        return;
      }
      Take(cost);
    }
  }
  if (closed) {
    granted(absl::UnavailableError("the teacher stops"));
  } else {
    granted(Lease(this, cost));
  }
}

void Admission::Close() {
  std::deque<Waiter> waiters;
  {
    absl::MutexLock lock(&mu_);
    closed_ = true;
    waiters.swap(waiters_);
  }
  for (Waiter& waiter : waiters) waiter.granted(absl::UnavailableError("the teacher stops"));
}

Admission::Cost Admission::used() const {
  absl::MutexLock lock(&mu_);
  return used_;
}

int Admission::waiting() const {
  absl::MutexLock lock(&mu_);
  return static_cast<int>(waiters_.size());
}

void Admission::Return(Cost cost) {
  std::vector<Waiter> served;
  {
    absl::MutexLock lock(&mu_);
    used_.images -= cost.images;
    used_.bytes -= cost.bytes;
    while (!waiters_.empty() && Fits(waiters_.front().cost)) {
      Take(waiters_.front().cost);
      served.push_back(std::move(waiters_.front()));
      waiters_.pop_front();
    }
  }
  for (Waiter& waiter : served) waiter.granted(Lease(this, waiter.cost));
}

bool Admission::Fits(Cost cost) const {
  return used_.images + cost.images <= capacity_.images && used_.bytes + cost.bytes <= capacity_.bytes;
}

void Admission::Take(Cost cost) {
  used_.images += cost.images;
  used_.bytes += cost.bytes;
}

}  // namespace mimeo
