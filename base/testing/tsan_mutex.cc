// What the thread sanitizer must be told of absl's locks: which thread gave a lock up, and which one took it after
// that.
//
// The system's absl is not instrumented, so without this file every access under an absl::Mutex looks like a race. The
// linker puts these functions in the place of absl's (--wrap, in .bazelrc's tsan configuration, which alone links this
// file). The names are those of Debian's absl, which has a namespace of its own.
//
// A condition of Await is evaluated by whichever thread holds the lock, inside of absl; those reads are left out.
#include <sanitizer/tsan_interface.h>

#include "absl/time/time.h"

extern "C" {

void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);

void __real__ZN4absl7debian35Mutex4LockEv(void* mutex);
bool __real__ZN4absl7debian35Mutex7TryLockEv(void* mutex);
void __real__ZN4absl7debian35Mutex6UnlockEv(void* mutex);
void __real__ZN4absl7debian35Mutex10ReaderLockEv(void* mutex);
void __real__ZN4absl7debian35Mutex12ReaderUnlockEv(void* mutex);
void __real__ZN4absl7debian35Mutex8LockWhenERKNS0_9ConditionE(void* mutex, const void* condition);
void __real__ZN4absl7debian35Mutex5AwaitERKNS0_9ConditionE(void* mutex, const void* condition);
bool __real__ZN4absl7debian35Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE(void* mutex, const void* condition,
                                                                                     absl::Duration timeout);
void __real__ZN4absl7debian312Notification6NotifyEv(void* notification);
void __real__ZNK4absl7debian312Notification19WaitForNotificationEv(void* notification);

void __wrap__ZN4absl7debian35Mutex4LockEv(void* mutex) {
  __real__ZN4absl7debian35Mutex4LockEv(mutex);
  __tsan_acquire(mutex);
}

bool __wrap__ZN4absl7debian35Mutex7TryLockEv(void* mutex) {
  const bool locked = __real__ZN4absl7debian35Mutex7TryLockEv(mutex);
  if (locked) __tsan_acquire(mutex);
  return locked;
}

void __wrap__ZN4absl7debian35Mutex6UnlockEv(void* mutex) {
  __tsan_release(mutex);
  AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
  __real__ZN4absl7debian35Mutex6UnlockEv(mutex);
  AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
}

void __wrap__ZN4absl7debian35Mutex10ReaderLockEv(void* mutex) {
  __real__ZN4absl7debian35Mutex10ReaderLockEv(mutex);
  __tsan_acquire(mutex);
}

void __wrap__ZN4absl7debian35Mutex12ReaderUnlockEv(void* mutex) {
  __tsan_release(mutex);
  AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
  __real__ZN4absl7debian35Mutex12ReaderUnlockEv(mutex);
  AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
}

void __wrap__ZN4absl7debian35Mutex8LockWhenERKNS0_9ConditionE(void* mutex, const void* condition) {
  AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
  __real__ZN4absl7debian35Mutex8LockWhenERKNS0_9ConditionE(mutex, condition);
  AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
  __tsan_acquire(mutex);
}

void __wrap__ZN4absl7debian35Mutex5AwaitERKNS0_9ConditionE(void* mutex, const void* condition) {
  __tsan_release(mutex);
  AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
  __real__ZN4absl7debian35Mutex5AwaitERKNS0_9ConditionE(mutex, condition);
  AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
  __tsan_acquire(mutex);
}

bool __wrap__ZN4absl7debian35Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE(void* mutex, const void* condition,
                                                                                     absl::Duration timeout) {
  __tsan_release(mutex);
  AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
  const bool holds =
      __real__ZN4absl7debian35Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE(mutex, condition, timeout);
  AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
  __tsan_acquire(mutex);
  return holds;
}

void __wrap__ZN4absl7debian312Notification6NotifyEv(void* notification) {
  __tsan_release(notification);
  __real__ZN4absl7debian312Notification6NotifyEv(notification);
}

void __wrap__ZNK4absl7debian312Notification19WaitForNotificationEv(void* notification) {
  __real__ZNK4absl7debian312Notification19WaitForNotificationEv(notification);
  __tsan_acquire(notification);
}

}  // extern "C"
