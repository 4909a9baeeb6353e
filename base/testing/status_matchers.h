// GoogleMock matchers for absl::Status and absl::StatusOr. Errors print themselves when a match fails.
//
//   EXPECT_THAT(ReadFile("/none"), StatusIs(absl::StatusCode::kNotFound, HasSubstr("/none")));
//   ASSERT_OK_AND_ASSIGN(const std::string bytes, ReadFile(path));
#pragma once

#include <ostream>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/status_macros.h"
#include "gmock/gmock.h"

namespace mimeo::testing {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

MATCHER(IsOk, negation ? "is an error" : "is OK") {
  *result_listener << StatusOf(arg).ToString();
  return StatusOf(arg).ok();
}

// `message`: a matcher of the message, or a string that the message must contain.
MATCHER_P2(StatusMatches, code, message, "is a status of that code and message") {
  const absl::Status& status = StatusOf(arg);
  *result_listener << status.ToString();
  return status.code() == code && ::testing::Matches(message)(std::string(status.message()));
}
template <typename Matcher>
auto StatusIs(absl::StatusCode code, Matcher message) {
  return StatusMatches(code, message);
}
inline auto StatusIs(absl::StatusCode code, const char* part) {
  return StatusMatches(code, ::testing::HasSubstr(part));
}
inline auto StatusIs(absl::StatusCode code, const std::string& part) {
  return StatusMatches(code, ::testing::HasSubstr(part));
}
inline auto StatusIs(absl::StatusCode code) { return StatusMatches(code, ::testing::_); }

}  // namespace mimeo::testing

#define EXPECT_OK(expr) EXPECT_THAT(expr, ::mimeo::testing::IsOk())
#define ASSERT_OK(expr) ASSERT_THAT(expr, ::mimeo::testing::IsOk())

// Assigns the value of `expr`, an absl::StatusOr, to `lhs`, or ends the test with its error.
#define ASSERT_OK_AND_ASSIGN(lhs, expr) MIMEO_ASSERT_OK_AND_ASSIGN(MIMEO_CONCAT(mimeo_assert_, __LINE__), lhs, expr)
#define MIMEO_ASSERT_OK_AND_ASSIGN(tmp, lhs, expr) \
  auto tmp = (expr);                               \
  ASSERT_TRUE(tmp.ok()) << tmp.status();           \
  lhs = std::move(tmp).value()
