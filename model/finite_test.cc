#include "model/finite.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <limits>

namespace mimeo {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(NotFiniteTest, CountsAndNamesTheFirst) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16}) {
    at::Tensor tensor = at::zeros({3, 4}, type);
    EXPECT_EQ(NotFinite(tensor), "");
    tensor[2][1] = std::nan("");
    EXPECT_EQ(NotFinite(tensor), "1 of 12 values that are not finite, the first of them nan at 9");
    tensor[1][3] = -kInfinity;
    EXPECT_EQ(NotFinite(tensor), "2 of 12 values that are not finite, the first of them -inf at 7");
    tensor[0][0] = kInfinity;
    EXPECT_EQ(NotFinite(tensor), "3 of 12 values that are not finite, the first of them inf at 0");
    EXPECT_EQ(NotFinite(tensor.t()), "3 of 12 values that are not finite, the first of them inf at 0");
    EXPECT_EQ(NotFinite(tensor.t()[3]), "1 of 3 values that are not finite, the first of them -inf at 1");
  }
}

TEST(NotFiniteTest, LargeIsFiniteAndWholeNumbersAlwaysAre) {
  EXPECT_EQ(NotFinite(at::full({2}, 3e38, at::kFloat)), "");
  EXPECT_EQ(NotFinite(at::zeros({2}, at::kLong)), "");
  EXPECT_EQ(NotFinite(at::zeros({0, 4}, at::kFloat)), "");
}

}  // namespace
}  // namespace mimeo
