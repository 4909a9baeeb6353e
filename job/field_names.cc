#include "job/field_names.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "proto/job.pb.h"

namespace mimeo {
namespace {

using google::protobuf::FieldDescriptor;

// The enumeration of the field of this name, in whichever message of job.proto has it; null where none has.
const google::protobuf::EnumDescriptor* EnumOfField(const std::string& name) {
  const auto* file = JobSpec::descriptor()->file();
  for (int i = 0; i < file->message_type_count(); ++i) {
    const FieldDescriptor* field = file->message_type(i)->FindFieldByName(name);
    if (field != nullptr && field->enum_type() != nullptr) return field->enum_type();
  }
  return nullptr;
}

}  // namespace

std::string KnownFields(const google::protobuf::Descriptor& message) {
  std::vector<std::string> names;
  names.reserve(message.field_count());
  for (int i = 0; i < message.field_count(); ++i) names.push_back(message.field(i)->name());
  return absl::StrCat("known: ", absl::StrJoin(names, ", "));
}

std::string AllowedValues(const google::protobuf::EnumDescriptor& type) {
  std::vector<std::string> names;
  for (int i = 1; i < type.value_count(); ++i) names.push_back(type.value(i)->name());
  return absl::StrCat("one of ", absl::StrJoin(names, ", "));
}

std::string NameWhatIsKnown(absl::string_view text_format_message) {
  // Message type "mimeo.VitSpec" has no field named "widht".
  // Unknown enumeration value of "TPU" for field "device".
  const std::vector<std::string> parts = absl::StrSplit(text_format_message, '"');
  if (parts.size() < 5) return std::string(text_format_message);
  if (absl::StrContains(parts[2], "has no field named")) {
    const auto* type = JobSpec::descriptor()->file()->pool()->FindMessageTypeByName(parts[1]);
    if (type != nullptr) {
      return absl::StrCat("unknown field \"", parts[3], "\" in ", type->name(), "; ", KnownFields(*type));
    }
  }
  if (absl::StartsWith(parts[0], "Unknown enumeration value")) {
    const auto* type = EnumOfField(parts[3]);
    if (type != nullptr) {
      return absl::StrCat("unknown value \"", parts[1], "\" of ", parts[3], "; ", AllowedValues(*type));
    }
  }
  return std::string(text_format_message);
}

}  // namespace mimeo
