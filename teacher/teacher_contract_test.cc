#include "teacher/teacher_contract.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "base/testing/status_matchers.h"
#include "base/text.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::StatusIs;

TeacherContract Clip() {
  TeacherContract contract;
  contract.set_name("clip");
  contract.set_weights_digest(std::string(64, 'a'));
  contract.set_family("clip-vit");
  contract.set_feature_width(768);
  contract.set_image_height_px(224);
  contract.set_image_width_px(224);
  contract.set_patch_px(16);
  contract.set_channels(3);
  for (const float mean : {0.481f, 0.457f, 0.408f}) contract.add_mean(mean);
  for (const float std : {0.268f, 0.261f, 0.275f}) contract.add_std(std);
  contract.set_projected_width(512);
  contract.set_num_blocks(12);
  contract.set_block_width(768);
  contract.set_has_class_token(true);
  contract.set_feature_type(TENSOR_TYPE_FLOAT32);
  contract.set_precision(PRECISION_FP32);
  contract.set_max_requests_in_flight(4);
  contract.set_max_images_per_request(4096);
  contract.set_max_request_bytes(1 << 28);
  return contract;
}

// Changes one field, whatever it is.
void Change(TeacherContract* contract, const google::protobuf::FieldDescriptor* field) {
  using Field = google::protobuf::FieldDescriptor;
  const google::protobuf::Reflection* const reflection = contract->GetReflection();
  switch (field->cpp_type()) {
    case Field::CPPTYPE_STRING:
      return reflection->SetString(contract, field, "other");
    case Field::CPPTYPE_INT32:
      return reflection->SetInt32(contract, field, 7);
    case Field::CPPTYPE_INT64:
      return reflection->SetInt64(contract, field, 7);
    case Field::CPPTYPE_BOOL:
      return reflection->SetBool(contract, field, !reflection->GetBool(*contract, field));
    case Field::CPPTYPE_ENUM:
      return reflection->SetEnumValue(contract, field, 0);
    case Field::CPPTYPE_FLOAT:
      return reflection->SetRepeatedFloat(contract, field, 1, 0.5f);
    default:
      FAIL() << "no value for a field of this type: " << field->full_name();
  }
}

TEST(TeacherContractTest, EveryFieldCountsButTheLimitsOfServing) {
  EXPECT_OK(SameTeacher(Clip(), Clip()));
  const google::protobuf::Descriptor* const type = TeacherContract::descriptor();
  int counted = 0;
  for (int i = 0; i < type->field_count(); ++i) {
    const std::string& name = type->field(i)->name();
    TeacherContract other = Clip();
    Change(&other, type->field(i));
    const absl::Status same = SameTeacher(Clip(), other);
    if (name.substr(0, 4) == "max_") {
      EXPECT_OK(same) << name;
      continue;
    }
    ++counted;
    EXPECT_THAT(same, StatusIs(absl::StatusCode::kFailedPrecondition, name + " is "));
  }
  EXPECT_EQ(counted, 16);
}

TEST(TeacherContractTest, EachDifferenceIsNamedWithBothValues) {
  TeacherContract other = Clip();
  other.set_weights_digest(std::string(64, 'b'));
  other.set_std(2, 0.25f);
  other.add_mean(0);
  const std::string message(SameTeacher(Clip(), other).message());
  EXPECT_THAT(message,
              AllOf(HasSubstr("teacher clip"), HasSubstr("weights_digest is \"bbb"), HasSubstr("and was \"aaa"),
                    HasSubstr("std is [0.268, 0.261, 0.25] and was [0.268, 0.261, 0.275]"),
                    HasSubstr("mean is [0.481, 0.457, 0.408, 0]"), Not(HasSubstr("patch_px"))));
}

// A server's --precision changes the features. Jobs that began before the contract said it know of none.
TEST(TeacherContractTest, AnotherPrecisionIsRefusedButNotWhereNoneWasPinned) {
  TeacherContract other = Clip();
  other.set_precision(PRECISION_BF16);
  EXPECT_THAT(SameTeacher(Clip(), other),
              StatusIs(absl::StatusCode::kFailedPrecondition, "precision is PRECISION_BF16 and was PRECISION_FP32"));
  TeacherContract earlier = Clip();
  earlier.clear_precision();
  EXPECT_OK(SameTeacher(earlier, Clip()));
  EXPECT_OK(SameTeacher(earlier, other));
  EXPECT_THAT(SameTeacher(Clip(), earlier),
              StatusIs(absl::StatusCode::kFailedPrecondition, "precision is PRECISION_UNSPECIFIED"));
}

TEST(TeacherContractTest, OddContentIsText) {
  TeacherContract odd = Clip();
  odd.set_family(std::string("\x1b[2J\xff") + std::string(100000, 'x'));
  odd.set_mean(0, std::numeric_limits<float>::quiet_NaN());
  EXPECT_OK(SameTeacher(odd, odd)) << "NaN is equal to itself here";
  const std::string message(SameTeacher(Clip(), odd).message());
  EXPECT_LT(message.size(), 2000u);
  EXPECT_EQ(message, ToText(message)) << "no control character";
}

}  // namespace
}  // namespace mimeo
