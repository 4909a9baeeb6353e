// "objective[mimic].weight=0.5" -> the field of a JobSpec, by protobuf reflection.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/text.h"
#include "job/field_names.h"
#include "job/job_spec.h"

namespace mimeo {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::TextFormat;

absl::StatusOr<const FieldDescriptor*> FindField(const Message& message, absl::string_view name,
                                                 absl::string_view path) {
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(std::string(name));
  if (field == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("--set ", path, ": there is no field \"", name, "\" in ",
                                                   message.GetDescriptor()->name(), "; ",
                                                   KnownFields(*message.GetDescriptor())));
  }
  return field;
}

// The element's `name`, or what it will be when none is given: the kind that its oneof holds.
std::string NameOf(const Message& element) {
  const auto* type = element.GetDescriptor();
  const auto* reflection = element.GetReflection();
  const FieldDescriptor* name = type->FindFieldByName("name");
  if (name != nullptr && reflection->HasField(element, name)) return reflection->GetString(element, name);
  const auto* kind = type->FindOneofByName("kind");
  const FieldDescriptor* held = kind == nullptr ? nullptr : reflection->GetOneofFieldDescriptor(element, kind);
  return held == nullptr ? "" : held->name();
}

// The element that `selector` names, by its `name` or its number from 0.
absl::StatusOr<Message*> FindElement(Message* message, const FieldDescriptor* field, absl::string_view selector,
                                     absl::string_view path) {
  const auto* reflection = message->GetReflection();
  const int count = reflection->FieldSize(*message, field);
  std::vector<std::string> names;
  int index = -1;
  if (absl::SimpleAtoi(selector, &index) && index >= 0 && index < count) {
    return reflection->MutableRepeatedMessage(message, field, index);
  }
  for (int i = 0; i < count; ++i) {
    Message* element = reflection->MutableRepeatedMessage(message, field, i);
    names.push_back(NameOf(*element));
    if (names.back() == selector) return element;
  }
  return absl::InvalidArgumentError(absl::StrCat("--set ", path, ": no ", field->name(), " is named \"", selector,
                                                 "\"; there are: ", absl::StrJoin(names, ", ")));
}

// One step of the path that is not its last: into a message.
absl::StatusOr<Message*> Descend(Message* message, absl::string_view step, absl::string_view path) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(step, absl::MaxSplits('[', 1));
  auto field = FindField(*message, parts.first, path);
  if (!field.ok()) return field.status();
  if ((*field)->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
    return absl::InvalidArgumentError(absl::StrCat("--set ", path, ": ", parts.first, " has no fields below it"));
  }
  if (!(*field)->is_repeated()) {
    if (parts.first.size() == step.size()) return message->GetReflection()->MutableMessage(message, *field);
    return absl::InvalidArgumentError(
        absl::StrCat("--set ", path, ": ", parts.first, " is not a list; write it without [", parts.second));
  }
  const auto* reflection = message->GetReflection();
  const int count = reflection->FieldSize(*message, *field);
  if (parts.first.size() == step.size() && count <= 1) {  // then it is clear which one is meant
    return count == 1 ? reflection->MutableRepeatedMessage(message, *field, 0)
                      : reflection->AddMessage(message, *field);
  }
  if (parts.second.empty() || parts.second.back() != ']') {
    return absl::InvalidArgumentError(absl::StrCat("--set ", path, ": ", parts.first, " is a list of ", count,
                                                   "; say which, by name or by number from 0, e.g. ", parts.first,
                                                   "[0]"));
  }
  return FindElement(message, *field, parts.second.substr(0, parts.second.size() - 1), path);
}

std::string Expected(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return "true or false";
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      return "a number";
    case FieldDescriptor::CPPTYPE_STRING:
      return "text";
    case FieldDescriptor::CPPTYPE_ENUM:
      return AllowedValues(*field.enum_type());
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return absl::StrCat("a field below it; ", KnownFields(*field.message_type()));
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      return "a whole number, 0 or more";
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrCat("a whole number, at most ", std::numeric_limits<int32_t>::max());
    default:
      return "a whole number";
  }
}

class Silent : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int, int, const std::string&) override {}
};

absl::Status Assign(absl::string_view assignment, JobSpec* spec) {
  if (!IsUtf8(assignment)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--set ", assignment, ": not UTF-8; a job is text, so a path in it needs a name that is"));
  }
  const std::pair<absl::string_view, absl::string_view> halves = absl::StrSplit(assignment, absl::MaxSplits('=', 1));
  const absl::string_view path = absl::StripAsciiWhitespace(halves.first);
  if (path.empty() || path.size() == assignment.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--set ", assignment, ": not FIELD=VALUE, e.g. schedule.epochs=3 or objective[mimic].weight=0.5"));
  }
  JobSpec changed = *spec;
  Message* message = &changed;
  const std::vector<absl::string_view> steps = absl::StrSplit(path, '.');
  for (size_t i = 0; i + 1 < steps.size(); ++i) {
    auto next = Descend(message, steps[i], path);
    if (!next.ok()) return next.status();
    message = *next;
  }
  auto field = FindField(*message, steps.back(), path);
  if (!field.ok()) return field.status();
  const std::string value(halves.second);
  if (value.empty()) {
    message->GetReflection()->ClearField(message, *field);
  } else if ((*field)->is_repeated()) {
    return absl::InvalidArgumentError(absl::StrCat("--set ", path, ": a list cannot be set as a whole"));
  } else if ((*field)->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    message->GetReflection()->SetString(message, *field, value);
  } else {
    Silent silent;
    TextFormat::Parser parser;
    parser.RecordErrorsTo(&silent);
    if ((*field)->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE ||
        !parser.ParseFieldValueFromString(value, *field, message)) {
      return absl::InvalidArgumentError(absl::StrCat("--set ", path, "=", value, ": expected ", Expected(**field)));
    }
  }
  *spec = changed;
  return absl::OkStatus();
}

}  // namespace

// Each message quotes what was given, on one line.
absl::Status SetField(absl::string_view assignment, JobSpec* spec) {
  const absl::Status status = Assign(assignment, spec);
  return status.ok() ? status : absl::Status(status.code(), ToText(status.message()));
}

}  // namespace mimeo
