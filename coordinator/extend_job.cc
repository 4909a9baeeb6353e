#include "coordinator/extend_job.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/limits.h"
#include "base/text.h"
#include "job/job_shape.h"

namespace mimeo {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::TextFormat;

std::string ValueText(const Message& message, const FieldDescriptor* field, int index) {
  if (!field->is_repeated() && !message.GetReflection()->HasField(message, field)) return "not set";
  std::string text;
  TextFormat::Printer printer;
  printer.SetSingleLineMode(true);
  printer.PrintFieldValueToString(message, field, index, &text);
  constexpr size_t kValueBytes = 120;
  return ToText(text, kValueBytes);
}

void AddDifferences(const std::string& path, const Message& of_job, const Message& asked,
                    std::vector<std::string>* differences);

void AddDifference(const std::string& path, const FieldDescriptor* field, const Message& of_job, const Message& asked,
                   std::vector<std::string>* differences) {
  const auto& reflection = *of_job.GetReflection();
  const bool is_message = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
  if (field->is_repeated()) {
    const int in_job = reflection.FieldSize(of_job, field), in_asked = reflection.FieldSize(asked, field);
    if (in_job != in_asked) {
      differences->push_back(absl::StrCat(path, ": ", in_asked, " of them, but ", in_job, " in the job"));
      return;
    }
    for (int i = 0; i < in_job; ++i) {
      const std::string element = absl::StrCat(path, "[", i, "]");
      if (is_message) {
        AddDifferences(element, reflection.GetRepeatedMessage(of_job, field, i),
                       reflection.GetRepeatedMessage(asked, field, i), differences);
      } else if (ValueText(of_job, field, i) != ValueText(asked, field, i)) {
        differences->push_back(absl::StrCat(element, ": ", ValueText(asked, field, i), ", but ",
                                            ValueText(of_job, field, i), " in the job"));
      }
    }
    return;
  }
  const bool both = reflection.HasField(of_job, field) && reflection.HasField(asked, field);
  if (is_message && both) {
    AddDifferences(path, reflection.GetMessage(of_job, field), reflection.GetMessage(asked, field), differences);
    return;
  }
  const std::string before = ValueText(of_job, field, -1), after = ValueText(asked, field, -1);
  if (before != after) differences->push_back(absl::StrCat(path, ": ", after, ", but ", before, " in the job"));
}

void AddDifferences(const std::string& path, const Message& of_job, const Message& asked,
                    std::vector<std::string>* differences) {
  const auto* const descriptor = of_job.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor* const field = descriptor->field(i);
    AddDifference(path.empty() ? field->name() : absl::StrCat(path, ".", field->name()), field, of_job, asked,
                  differences);
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

void TakeLength(const JobSpec& from, JobSpec* spec) {
  ScheduleSpec& schedule = *spec->mutable_schedule();
  const ScheduleSpec& length = from.schedule();
  const bool same_warmup = SameWarmup(schedule, length);
  schedule.clear_epochs();
  schedule.clear_steps();
  if (length.has_epochs()) schedule.set_epochs(length.epochs());
  if (length.has_steps()) schedule.set_steps(length.steps());
  if (!same_warmup) return;
  schedule.clear_warmup();
  schedule.clear_warmup_epochs();
  schedule.clear_warmup_steps();
  if (length.has_warmup()) schedule.set_warmup(length.warmup());
  if (length.has_warmup_epochs()) schedule.set_warmup_epochs(length.warmup_epochs());
  if (length.has_warmup_steps()) schedule.set_warmup_steps(length.warmup_steps());
}

}  // namespace

std::vector<std::string> SpecDifferences(const JobSpec& of_job, const JobSpec& asked) {
  std::vector<std::string> differences;
  AddDifferences("", of_job, asked, &differences);
  return differences;
}

absl::StatusOr<Event> ExtensionOf(const JobInfo& job, const JobSpec& resolved, const std::string& user) {
  JobSpec as_long = job.spec;
  TakeLength(resolved, &as_long);
  const std::vector<std::string> differences = SpecDifferences(as_long, resolved);
  if (!differences.empty()) {
    return absl::FailedPreconditionError(ToLines(
        absl::StrCat(job.id, " can only be made longer (schedule.epochs or schedule.steps); this differs too:\n",
                     absl::StrJoin(differences, "\n"))));
  }
  Event event;
  JobExtended& extended = *event.mutable_job_extended();
  extended.set_job_id(job.id);
  *extended.mutable_spec() = resolved;
  extended.set_total_steps(TotalSteps(resolved, job.num_samples));
  extended.set_user(ToText(user, limits::kNameBytes));
  return event;
}

}  // namespace mimeo
