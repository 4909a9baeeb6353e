// The one seam where what libtorch throws becomes a Status. Thread-safe.
//
// No exception crosses a function of ours, and libtorch reports most errors by throwing. So the root of every thread
// that may run it, and every callback that a foreign thread calls, is the body of a CatchTorch. This header needs no
// torch: it may be included anywhere.
#pragma once

#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace mimeo {

// Of the exception that is being handled. ResourceExhausted: no memory, on the host or a device. Aborted: any other,
// with its first line made text (base/text.h); the rest of what libtorch says is a C++ stack. REQUIRES: called inside a
// catch block.
absl::Status ThrownStatus();

// What CatchTorch gives of a body that returns T: nothing and a Status become a Status, anything else a StatusOr.
template <typename T>
struct CaughtResult {
  using Type = absl::StatusOr<T>;
};
template <>
struct CaughtResult<void> {
  using Type = absl::Status;
};
template <>
struct CaughtResult<absl::Status> {
  using Type = absl::Status;
};
template <typename T>
struct CaughtResult<absl::StatusOr<T>> {
  using Type = absl::StatusOr<T>;
};

// Runs `body`: what it returned, or the status of what it threw.
template <typename Body>
auto CatchTorch(Body&& body) {
  using Result = std::invoke_result_t<Body>;
  using Caught = typename CaughtResult<Result>::Type;
  try {
    if constexpr (std::is_void_v<Result>) {
      std::forward<Body>(body)();
      return Caught(absl::OkStatus());
    } else {
      return Caught(std::forward<Body>(body)());
    }
  } catch (...) {
    return Caught(ThrownStatus());
  }
}

}  // namespace mimeo
