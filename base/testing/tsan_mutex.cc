// What the thread sanitizer must be told of libraries that are not built with it: Debian's absl, gRPC and protobuf.
//
// Without this file every access under an absl::Mutex looks like a race, and so does what gRPC hands from one of its
// threads to another. `bazel test --config=tsan` alone links it (.bazelrc), into each binary. A binary's functions come
// before those of the libraries that it loads: each lock and unlock of ours and of gRPC arrives here, is done by absl's
// own function, and the sanitizer hears which thread gave the lock up and which one took it after that.
//
// What is not seen: races on memory that only a library touches (the bytes of a std::string, when they are copied
// inside of libstdc++), and reads of a condition of Await, which absl evaluates in whichever thread holds the lock.
#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

#include <cstdlib>
#include <string>
#include <type_traits>
#include <typeinfo>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

extern "C" {

void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);

// A report ends the process, so that a test sees it that only waits for a coordinator or an agent.
const char* __tsan_default_options() { return "ignore_noninstrumented_modules=1:halt_on_error=1:die_after_fork=0"; }

// gRPC's templates and protobuf's inline functions are compiled into our binaries, and go on in a library that orders
// its threads by atomics of its own. race_top: the access itself stands in such a function, and not in one of ours that
// it calls.
const char* __tsan_default_suppressions() {
  return "race_top:^grpc::\n"
         "race_top:^void grpc::\n";
}

}  // extern "C"

namespace {

// absl's own function: that of `Class` whose mangled name ends so. absl's namespace has a version in its name, which
// differs between distributions.
template <typename Class, typename Function>
Function* Own(const char* end) {
  const std::string nested = typeid(Class).name();  // N...E
  const std::string name = (std::is_const_v<Class> ? "_ZNK" : "_ZN") + nested.substr(1, nested.size() - 2) + end;
  void* const found = dlsym(RTLD_NEXT, name.c_str());
  if (found == nullptr) std::abort();
  return reinterpret_cast<Function*>(found);
}

// While one lives, reads of this thread are not recorded.
class IgnoredReads {
 public:
  IgnoredReads() { AnnotateIgnoreReadsBegin(__FILE__, __LINE__); }
  ~IgnoredReads() { AnnotateIgnoreReadsEnd(__FILE__, __LINE__); }
};

// A wait that gives `mutex` up, and has it again at its end.
class GivenUp {
 public:
  explicit GivenUp(absl::Mutex* mutex) : mutex_(mutex) { __tsan_release(mutex_); }
  ~GivenUp() { __tsan_acquire(mutex_); }

 private:
  absl::Mutex* const mutex_;
  const IgnoredReads ignored_;
};

}  // namespace

namespace absl {
ABSL_NAMESPACE_BEGIN

void Mutex::Lock() {
  static auto* const own = Own<Mutex, void(Mutex*)>("4LockEv");
  own(this);
  __tsan_acquire(this);
}

bool Mutex::TryLock() {
  static auto* const own = Own<Mutex, bool(Mutex*)>("7TryLockEv");
  const bool locked = own(this);
  if (locked) __tsan_acquire(this);
  return locked;
}

void Mutex::Unlock() {
  static auto* const own = Own<Mutex, void(Mutex*)>("6UnlockEv");
  __tsan_release(this);
  const IgnoredReads ignored;
  own(this);
}

void Mutex::ReaderLock() {
  static auto* const own = Own<Mutex, void(Mutex*)>("10ReaderLockEv");
  own(this);
  __tsan_acquire(this);
}

void Mutex::ReaderUnlock() {
  static auto* const own = Own<Mutex, void(Mutex*)>("12ReaderUnlockEv");
  __tsan_release(this);
  const IgnoredReads ignored;
  own(this);
}

void Mutex::LockWhen(const Condition& condition) {
  static auto* const own = Own<Mutex, void(Mutex*, const Condition&)>("8LockWhenERKNS0_9ConditionE");
  {
    const IgnoredReads ignored;
    own(this, condition);
  }
  __tsan_acquire(this);
}

void Mutex::Await(const Condition& condition) {
  static auto* const own = Own<Mutex, void(Mutex*, const Condition&)>("5AwaitERKNS0_9ConditionE");
  const GivenUp given_up(this);
  own(this, condition);
}

bool Mutex::AwaitWithTimeout(const Condition& condition, Duration timeout) {
  static auto* const own =
      Own<Mutex, bool(Mutex*, const Condition&, Duration)>("16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE");
  const GivenUp given_up(this);
  return own(this, condition, timeout);
}

bool Mutex::AwaitWithDeadline(const Condition& condition, Time deadline) {
  static auto* const own =
      Own<Mutex, bool(Mutex*, const Condition&, Time)>("17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE");
  const GivenUp given_up(this);
  return own(this, condition, deadline);
}

void CondVar::Wait(Mutex* mutex) {
  static auto* const own = Own<CondVar, void(CondVar*, Mutex*)>("4WaitEPNS0_5MutexE");
  const GivenUp given_up(mutex);
  own(this, mutex);
}

bool CondVar::WaitWithTimeout(Mutex* mutex, Duration timeout) {
  static auto* const own =
      Own<CondVar, bool(CondVar*, Mutex*, Duration)>("15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE");
  const GivenUp given_up(mutex);
  return own(this, mutex, timeout);
}

bool CondVar::WaitWithDeadline(Mutex* mutex, Time deadline) {
  static auto* const own = Own<CondVar, bool(CondVar*, Mutex*, Time)>("16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE");
  const GivenUp given_up(mutex);
  return own(this, mutex, deadline);
}

void Notification::Notify() {
  static auto* const own = Own<Notification, void(Notification*)>("6NotifyEv");
  __tsan_release(this);
  own(this);
}

void Notification::WaitForNotification() const {
  static auto* const own = Own<const Notification, void(const Notification*)>("19WaitForNotificationEv");
  own(this);
  __tsan_acquire(const_cast<Notification*>(this));
}

bool Notification::WaitForNotificationWithTimeout(Duration timeout) const {
  static auto* const own =
      Own<const Notification, bool(const Notification*, Duration)>("30WaitForNotificationWithTimeoutENS0_8DurationE");
  const bool notified = own(this, timeout);
  if (notified) __tsan_acquire(const_cast<Notification*>(this));
  return notified;
}

ABSL_NAMESPACE_END
}  // namespace absl
