#include "teacher/teacher_contract.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/text_format.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/text.h"

namespace mimeo {
namespace {

constexpr size_t kValueBytes = 160;  // of a value in a message; a digest has 66

// A field that a later version adds counts until it is named here: a teacher is refused rather than taken in silence.
bool OnlyLimits(int field) {
  return field == TeacherContract::kMaxRequestsInFlightFieldNumber ||
         field == TeacherContract::kMaxImagesPerRequestFieldNumber ||
         field == TeacherContract::kMaxRequestBytesFieldNumber;
}

// Jobs of an earlier version pinned contracts that did not say it.
bool NotPinnedThen(const TeacherContract& pinned, int field) {
  return field == TeacherContract::kPrecisionFieldNumber && pinned.precision() == PRECISION_UNSPECIFIED;
}

// As text, whose numbers read back equal: NaN is then equal to itself.
std::string ValueOf(const TeacherContract& contract, const google::protobuf::FieldDescriptor* field) {
  using google::protobuf::TextFormat;
  std::string text;
  if (!field->is_repeated()) {
    TextFormat::PrintFieldValueToString(contract, field, -1, &text);
    return text;
  }
  std::vector<std::string> values(TeacherContract::GetReflection()->FieldSize(contract, field));
  for (size_t i = 0; i < values.size(); ++i) {
    TextFormat::PrintFieldValueToString(contract, field, static_cast<int>(i), &values[i]);
  }
  return absl::StrCat("[", absl::StrJoin(values, ", "), "]");
}

}  // namespace

absl::Status SameTeacher(const TeacherContract& pinned, const TeacherContract& now) {
  std::vector<std::string> differences;
  const google::protobuf::Descriptor* const type = TeacherContract::descriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    const google::protobuf::FieldDescriptor* const field = type->field(i);
    if (OnlyLimits(field->number()) || NotPinnedThen(pinned, field->number())) continue;
    const std::string was = ValueOf(pinned, field), is = ValueOf(now, field);
    if (was != is) {
      differences.push_back(
          absl::StrCat(field->name(), " is ", ToText(is, kValueBytes), " and was ", ToText(was, kValueBytes)));
    }
  }
  if (differences.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("teacher ", ToText(pinned.name(), kValueBytes), " is not the one that the job began with: ",
                   absl::StrJoin(differences, "; "), ". Serve the earlier one again, or begin a new job"));
}

}  // namespace mimeo
