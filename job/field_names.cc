#include "job/field_names.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "proto/job.pb.h"

namespace mimeo {

std::string KnownFields(const google::protobuf::Descriptor& message) {
  std::vector<std::string> names;
  for (int i = 0; i < message.field_count(); ++i) names.push_back(message.field(i)->name());
  return absl::StrCat("known: ", absl::StrJoin(names, ", "));
}

std::string NameKnownFields(absl::string_view text_format_message) {
  // Message type "mimeo.VitSpec" has no field named "widht".
  const std::vector<std::string> parts = absl::StrSplit(text_format_message, '"');
  if (parts.size() < 5 || !absl::StrContains(parts[2], "has no field named")) return std::string(text_format_message);
  const auto* type = JobSpec::descriptor()->file()->pool()->FindMessageTypeByName(parts[1]);
  if (type == nullptr) return std::string(text_format_message);
  return absl::StrCat("unknown field \"", parts[3], "\" in ", type->name(), "; ", KnownFields(*type));
}

}  // namespace mimeo
