#include "teacher/feature_type.h"

#include <gtest/gtest.h>

namespace mimeo {
namespace {

TEST(FeatureTypeTest, KnownTypesHaveASizeAndOthersHaveNone) {
  EXPECT_EQ(ValueBytes(TENSOR_TYPE_FLOAT32), static_cast<int>(sizeof(float)));
  EXPECT_EQ(ValueBytes(TENSOR_TYPE_UNSPECIFIED), 0);
  EXPECT_EQ(ValueBytes(static_cast<TensorType>(77)), 0);
}

TEST(FeatureTypeTest, ATypeIsNamedEvenWhereItHasNoName) {
  EXPECT_EQ(TypeName(TENSOR_TYPE_FLOAT32), "TENSOR_TYPE_FLOAT32");
  EXPECT_EQ(TypeName(static_cast<TensorType>(77)), "TENSOR_TYPE number 77");
  EXPECT_EQ(KnownTypes(), "TENSOR_TYPE_FLOAT32");
}

}  // namespace
}  // namespace mimeo
