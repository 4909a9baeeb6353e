#include "client/exit_code.h"

#include <gtest/gtest.h>

#include <set>

namespace mimeo {
namespace {

TEST(ExitCodeTest, EveryCodeSaysWhoseFaultItWas) {
  using Code = absl::StatusCode;
  const std::set<Code> requests = {Code::kInvalidArgument, Code::kNotFound, Code::kFailedPrecondition,
                                   Code::kAlreadyExists, Code::kOutOfRange};
  const std::set<Code> silences = {Code::kUnavailable, Code::kDeadlineExceeded};
  for (int number = 1; number <= 17; ++number) {  // the last is none that we know: of a later version
    const auto code = static_cast<Code>(number);
    const ExitCode expected = requests.count(code) > 0   ? kWrongRequest
                              : silences.count(code) > 0 ? kNobodyAnswers
                                                         : kFailed;
    EXPECT_EQ(ExitCodeOf(absl::Status(code, "why")), expected) << number;
  }
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), kDone);
}

}  // namespace
}  // namespace mimeo
