#include "model/catch_torch.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <new>
#include <stdexcept>
#include <string>

#include "base/testing/status_matchers.h"

namespace mimeo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::StatusIs;
using ::testing::StrEq;

TEST(CatchTorchTest, GivesBackWhatTheBodyReturns) {
  EXPECT_OK(CatchTorch([] {}));
  EXPECT_THAT(CatchTorch([] { return absl::NotFoundError("not there"); }),
              StatusIs(absl::StatusCode::kNotFound, "not there"));
  const absl::StatusOr<std::string> text = CatchTorch([]() -> absl::StatusOr<std::string> { return "seven"; });
  ASSERT_OK(text.status());
  EXPECT_EQ(*text, "seven");
  const absl::StatusOr<int> number = CatchTorch([] { return 7; });
  ASSERT_OK(number.status());
  EXPECT_EQ(*number, 7);
  EXPECT_EQ(CatchTorch([]() -> absl::StatusOr<int> { throw std::runtime_error("no"); }).status().code(),
            absl::StatusCode::kAborted);
}

TEST(CatchTorchTest, SaysTheFirstLineWithoutTheStack) {
  EXPECT_THAT(CatchTorch([] { throw std::runtime_error("sizes differ\nframe #0: c10::Error"); }),
              StatusIs(absl::StatusCode::kAborted, StrEq("sizes differ")));
  const absl::Status product = CatchTorch([] { at::ones({2, 3}).mm(at::ones({2, 3})); });
  EXPECT_THAT(product, StatusIs(absl::StatusCode::kAborted, HasSubstr("2x3 and 2x3")));
  EXPECT_THAT(std::string(product.message()), Not(HasSubstr("frame #")));
}

TEST(CatchTorchTest, NoMemoryIsNoMistakeOfTheJobs) {
  EXPECT_THAT(CatchTorch([] { throw std::bad_alloc(); }), StatusIs(absl::StatusCode::kResourceExhausted, "memory"));
  EXPECT_THAT(CatchTorch([] { at::empty({int64_t{1} << 52}); }),
              StatusIs(absl::StatusCode::kResourceExhausted, "allocate memory"));
}

TEST(CatchTorchTest, TakesAnythingThatIsThrownAndMakesItText) {
  EXPECT_THAT(CatchTorch([] { throw 7; }), StatusIs(absl::StatusCode::kAborted, "no std::exception"));
  EXPECT_THAT(CatchTorch([] { throw std::runtime_error("\x1b[2Jcaf\xe9.jpg"); }),
              StatusIs(absl::StatusCode::kAborted, StrEq("\\x1b[2Jcaf\\xe9.jpg")));
}

}  // namespace
}  // namespace mimeo
