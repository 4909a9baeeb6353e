#include "job/spec_difference.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"

namespace mimeo {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::TextFormat;

std::string ValueText(const Message& message, const FieldDescriptor* field, int index) {
  constexpr size_t kValueBytes = 120;
  if (!field->is_repeated() && !message.GetReflection()->HasField(message, field)) return "not set";
  std::string text;
  TextFormat::Printer printer;
  printer.SetSingleLineMode(true);
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    printer.PrintToString(message.GetReflection()->GetMessage(message, field), &text);
    const absl::string_view fields = absl::StripAsciiWhitespace(text);
    return fields.empty() ? "set" : absl::StrCat("{ ", ToText(fields, kValueBytes), " }");
  }
  printer.PrintFieldValueToString(message, field, index, &text);
  return ToText(text, kValueBytes);
}

std::string ElementName(const Message& element, int index) {
  const FieldDescriptor* name = element.GetDescriptor()->FindFieldByName("name");
  const bool named = name != nullptr && element.GetReflection()->HasField(element, name);
  return named ? ToText(element.GetReflection()->GetString(element, name)) : absl::StrCat(index);
}

void AddDifferences(const std::string& path, const Message& of_job, const Message& asked,
                    std::vector<std::string>* differences);

void AddValues(const std::string& path, const FieldDescriptor* field, const Message& of_job, const Message& asked,
               int index, std::vector<std::string>* differences) {
  const std::string before = ValueText(of_job, field, index), after = ValueText(asked, field, index);
  if (before != after) differences->push_back(absl::StrCat(path, ": ", after, ", but ", before, " in the job"));
}

void AddList(const std::string& path, const FieldDescriptor* field, const Message& of_job, const Message& asked,
             std::vector<std::string>* differences) {
  const auto& reflection = *of_job.GetReflection();
  const int in_job = reflection.FieldSize(of_job, field), in_asked = reflection.FieldSize(asked, field);
  if (in_job != in_asked) {
    differences->push_back(absl::StrCat(path, ": ", in_asked, " of them, but ", in_job, " in the job"));
    return;
  }
  for (int i = 0; i < in_job; ++i) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      AddValues(absl::StrCat(path, "[", i, "]"), field, of_job, asked, i, differences);
      continue;
    }
    const Message& before = reflection.GetRepeatedMessage(of_job, field, i);
    AddDifferences(absl::StrCat(path, "[", ElementName(before, i), "]"), before,
                   reflection.GetRepeatedMessage(asked, field, i), differences);
  }
}

void AddDifferences(const std::string& path, const Message& of_job, const Message& asked,
                    std::vector<std::string>* differences) {
  const auto& reflection = *of_job.GetReflection();
  for (int i = 0; i < of_job.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* const field = of_job.GetDescriptor()->field(i);
    const std::string name = path.empty() ? field->name() : absl::StrCat(path, ".", field->name());
    const bool is_message = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    if (field->is_repeated()) {
      AddList(name, field, of_job, asked, differences);
    } else if (is_message && reflection.HasField(of_job, field) && reflection.HasField(asked, field)) {
      AddDifferences(name, reflection.GetMessage(of_job, field), reflection.GetMessage(asked, field), differences);
    } else {
      AddValues(name, field, of_job, asked, -1, differences);
    }
  }
}

// The warm-up, as a share of the schedule.
double WarmupShare(const ScheduleSpec& schedule) {
  if (schedule.has_warmup_epochs()) return schedule.epochs() > 0 ? schedule.warmup_epochs() / schedule.epochs() : 0;
  if (schedule.steps() <= 0) return 0;
  return static_cast<double>(schedule.warmup_steps()) / static_cast<double>(schedule.steps());
}

// Whole steps are rounded: half a percent of a schedule of 200 steps is one of them.
bool SameWarmup(const ScheduleSpec& a, const ScheduleSpec& b) {
  const int64_t fewest = std::min(a.has_steps() ? a.steps() : 1000000, b.has_steps() ? b.steps() : 1000000);
  return std::abs(WarmupShare(a) - WarmupShare(b)) <= 1.0 / static_cast<double>(std::max<int64_t>(fewest, 1));
}

// Both are resolved, so the warm-up is in the unit of the length.
void TakeLength(const ScheduleSpec& length, ScheduleSpec* schedule) {
  const bool same_warmup = SameWarmup(*schedule, length);
  if (length.has_epochs()) schedule->set_epochs(length.epochs());
  if (length.has_steps()) schedule->set_steps(length.steps());
  if (!same_warmup) return;
  if (length.has_warmup_epochs()) schedule->set_warmup_epochs(length.warmup_epochs());
  if (length.has_warmup_steps()) schedule->set_warmup_steps(length.warmup_steps());
}

}  // namespace

std::vector<std::string> SpecDifferences(const JobSpec& of_job, const JobSpec& asked) {
  std::vector<std::string> differences;
  AddDifferences("", of_job, asked, &differences);
  return differences;
}

std::vector<std::string> DifferencesButLength(const JobSpec& of_job, const JobSpec& asked) {
  JobSpec as_long = of_job;
  TakeLength(asked.schedule(), as_long.mutable_schedule());
  return SpecDifferences(as_long, asked);
}

}  // namespace mimeo
