// The one place where what libtorch throws becomes a Status. Any thread may call it.
//
// No exception crosses a function of ours, and libtorch reports most errors by throwing. So the root of every thread
// that may run libtorch, and every callback that a foreign thread calls, is the body of a CatchTorch. This header
// includes nothing of libtorch, so it may be included anywhere.
#pragma once

#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace mimeo {

// The status of the exception that is being handled. ResourceExhausted: there is no memory left, on the host or on a
// device. Aborted: anything else, with the first line of its message made text (base/text.h); what libtorch says below
// that line is a C++ stack. REQUIRES: the call is inside a catch block. It is apart from the template so that this
// header needs none of libtorch's.
absl::Status ThrownStatus();

// What CatchTorch returns for a body that returns T: a Status where the body returns nothing or a Status, and otherwise
// a StatusOr.
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

// Runs `body` and gives what it returned, or the status of what it threw.
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
