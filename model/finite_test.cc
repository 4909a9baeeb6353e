#include "model/finite.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

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

TEST(AllFiniteTest, OneValueOfManyTensorsIsFound) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16}) {
    std::vector<at::Tensor> tensors = {at::zeros({0, 4}, type), at::zeros({5}, at::kLong), at::full({3, 4}, 6e4, type),
                                       at::zeros({}, type)};
    EXPECT_TRUE(AllFinite(tensors));
    for (const double value : {kInfinity, -kInfinity, std::nan("")}) {
      tensors[2][1][2] = value;
      EXPECT_FALSE(AllFinite(tensors)) << value;
      EXPECT_FALSE(AllFinite({tensors[2].t()})) << value;
      tensors[2][1][2] = 1;
      tensors[3].fill_(value);
      EXPECT_FALSE(AllFinite(tensors)) << value;
      tensors[3].zero_();
    }
  }
  EXPECT_TRUE(AllFinite({}));
}

TEST(NotFiniteTest, LargeIsFiniteAndWholeNumbersAlwaysAre) {
  EXPECT_EQ(NotFinite(at::full({2}, 3e38, at::kFloat)), "");
  EXPECT_EQ(NotFinite(at::zeros({2}, at::kLong)), "");
  EXPECT_EQ(NotFinite(at::zeros({0, 4}, at::kFloat)), "");
}

}  // namespace
}  // namespace mimeo
