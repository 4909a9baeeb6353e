// What this program itself must see to, whatever comes from outside: where it does not hold, the process ends. What
// other people or machines may get wrong is an absl::Status instead. Thread-safe.
#pragma once

#include <string>

#include "absl/strings/str_cat.h"

namespace mimeo {

// Writes "FILE:LINE: MIMEO_CHECK(CONDITION) failed: MESSAGE" to stderr and aborts.
[[noreturn]] void FailCheck(const char* file, int line, const char* condition, const std::string& message);

}  // namespace mimeo

// MIMEO_CHECK(condition, pieces of the message...). The pieces are what absl::StrCat takes, and are joined only where
// `condition` is false. It has a name of its own because libtorch's headers may define CHECK.
#define MIMEO_CHECK(condition, ...)                                                                  \
  do {                                                                                               \
    if (!(condition)) ::mimeo::FailCheck(__FILE__, __LINE__, #condition, absl::StrCat(__VA_ARGS__)); \
  } while (false)
