// MIMEO_CHECK ends the process when the program itself is wrong. What a person, a file or another machine can get wrong
// is no matter for it: that is an absl::Status, because a process must survive it. Thread-safe.
#pragma once

#include <string>

#include "absl/strings/str_cat.h"

namespace mimeo {

// Writes "FILE:LINE: MIMEO_CHECK(CONDITION) failed: MESSAGE" to stderr and aborts.
[[noreturn]] void FailCheck(const char* file, int line, const char* condition, const std::string& message);

}  // namespace mimeo

// MIMEO_CHECK(condition, pieces of the message...). The pieces are what absl::StrCat takes. They are evaluated only
// when `condition` is false. It is not called CHECK because libtorch's headers may define that name.
#define MIMEO_CHECK(condition, ...)                                                                  \
  do {                                                                                               \
    if (!(condition)) ::mimeo::FailCheck(__FILE__, __LINE__, #condition, absl::StrCat(__VA_ARGS__)); \
  } while (false)
