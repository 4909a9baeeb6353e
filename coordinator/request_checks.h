// What peers may say: the bounds of base/limits.h, and that it is text (base/text.h). The services ask before the core
// hears of a request, so nothing else is stored, journalled, logged or given on. Not part of what ClusterState checks:
// the journals of earlier versions hold what was legal then. Pure; thread-safe.
#pragma once

#include <google/protobuf/repeated_field.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "proto/coordinator.pb.h"

namespace mimeo {

// Each InvalidArgument names the field, what it is, and the bound.
absl::Status CheckWorker(const WorkerIdentity& worker);
absl::Status CheckTeacher(const TeacherHeartbeatRequest& request);
absl::Status CheckReport(const ReportStepsRequest& request);
absl::Status CheckManifest(const CheckpointManifest& manifest);
absl::Status CheckContentId(absl::string_view content_id);

// Leaves the statuses that can be taken, their messages made text of at most limits::kReasonBytes. Those that cannot
// are dropped: an illegal field, the second of one rank, more than limits::kRanksPerJob.
struct RefusedStatuses {
  int count = 0;
  absl::Status first;  // why
};
RefusedStatuses TakeStatuses(google::protobuf::RepeatedPtrField<RankStatus>* statuses);

}  // namespace mimeo
