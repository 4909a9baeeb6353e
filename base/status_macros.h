// RETURN_IF_ERROR and ASSIGN_OR_RETURN pass an error on to the caller. Abseil 20220623, which we use, has neither.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define MIMEO_CONCAT_INNER(a, b) a##b
#define MIMEO_CONCAT(a, b) MIMEO_CONCAT_INNER(a, b)

// Returns from the enclosing function when `expr`, an absl::Status, is an error. The function returns an absl::Status
// or an absl::StatusOr. `expr` is evaluated once.
#define RETURN_IF_ERROR(expr)                    \
  do {                                           \
    absl::Status mimeo_status = (expr);          \
    if (!mimeo_status.ok()) return mimeo_status; \
  } while (false)

// Assigns the value of `expr`, an absl::StatusOr, to `lhs`, or returns its error. `lhs` may declare a variable:
// ASSIGN_OR_RETURN(const std::string text, ReadFile(path)). It is more than one statement, so it needs braces after an
// if or a for. A type with a comma in it does not fit into a macro's argument: use auto.
#define ASSIGN_OR_RETURN(lhs, expr) MIMEO_ASSIGN_OR_RETURN(MIMEO_CONCAT(mimeo_status_or_, __LINE__), lhs, expr)
#define MIMEO_ASSIGN_OR_RETURN(tmp, lhs, expr)   \
  auto tmp = (expr);                             \
  if (!tmp.ok()) return std::move(tmp).status(); \
  lhs = std::move(tmp).value()
