// What a peer may say: whether its words are text (base/text.h) and within the bounds of base/limits.h. The services
// ask this before CoordinatorCore hears of a request, so nothing else is ever stored, journalled, logged or passed on.
// ClusterState does not ask it again, because the journals of earlier versions hold what was legal then. Pure;
// thread-safe.
#pragma once

#include <google/protobuf/repeated_field.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "proto/coordinator.pb.h"

namespace mimeo {

// The only error of all of these is InvalidArgument, which names the field, its value and the bound. The peer must not
// send the same again.
absl::Status CheckWorker(const WorkerIdentity& worker);
absl::Status CheckTeacher(const TeacherHeartbeatRequest& request);
absl::Status CheckLogs(const SendLogsRequest& request);
absl::Status CheckReport(const ReportStepsRequest& request);
absl::Status CheckManifest(const CheckpointManifest& manifest);
absl::Status CheckContentId(absl::string_view content_id);

struct RefusedStatuses {
  int count = 0;       // how many statuses a heartbeat lost
  absl::Status first;  // why it lost the first of them; OK when it lost none
};
// Drops the bad statuses of a heartbeat and leaves the others, their messages made text of at most
// limits::kReasonBytes. The heartbeat itself is not refused, because then all ranks of the host would look dead. A
// status is bad when a field is illegal, when it is the second of one rank, and when limits::kRanksPerJob good ones
// stand before it.
RefusedStatuses TakeStatuses(google::protobuf::RepeatedPtrField<RankStatus>* statuses);

}  // namespace mimeo
