#include <google/protobuf/util/time_util.h>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "client/commands/call.h"
#include "client/table.h"

namespace mimeo {
namespace {

using google::protobuf::util::TimeUtil;

std::string Silence(const google::protobuf::Duration& silent) {
  return absl::StrFormat("%.1fs", static_cast<double>(TimeUtil::DurationToMilliseconds(silent)) / 1000);
}

std::string Devices(const WorkerIdentity& worker) {
  if (worker.devices().empty()) return "";
  const DeviceInfo& first = worker.devices(0);
  return absl::StrCat(worker.devices_size(), "x ", first.name(), first.bfloat16() ? ", bfloat16" : "", first.nvlink() ? ", NVLink" : "");
}

std::string WorkerTable(const ListWorkersReply& reply) {
  std::vector<std::vector<std::string>> rows = {{"WORKER", "SLOTS", "BUSY", "SILENT", "LEASE", "HOST", "DEVICES"}};
  for (const Worker& worker : reply.workers()) {
    rows.push_back({worker.identity().id(), absl::StrCat(worker.identity().slots()), absl::StrCat(worker.slots_busy()),
                    Silence(worker.silent_for()), worker.lease_expired() ? "expired" : "held", worker.identity().host(),
                    Devices(worker.identity())});
  }
  return TableText(rows);
}

std::string TeacherTable(const ListTeachersReply& reply) {
  std::vector<std::vector<std::string>> rows = {{"TEACHER", "ADDRESS", "SILENT"}};
  for (const TeacherInfo& teacher : reply.teachers()) {
    rows.push_back({teacher.name(), teacher.address(), Silence(teacher.silent_for())});
  }
  return TableText(rows);
}

std::string CheckpointTable(const ListCheckpointsReply& reply) {
  std::vector<std::vector<std::string>> rows = {{"STEP", "GENERATION", "BYTES", "PAUSE", "CREATED"}};
  for (const CheckpointManifest& manifest : reply.manifests()) {
    rows.push_back({absl::StrCat(manifest.step()), absl::StrCat(manifest.generation()), absl::StrCat(manifest.total_bytes()),
                    absl::StrFormat("%.1fms", manifest.pause_seconds() * 1000), TimeUtil::ToString(manifest.created())});
  }
  return TableText(rows);
}

}  // namespace

void AddClusterVerbs(CLI::App* app, Invocation* invocation) {
  AddVerb(app, "workers", "The workers, their slots, and when they were last heard", "mimeo workers")->callback([invocation] {
    invocation->run = [invocation] {
      return CallAndPrint<ListWorkersRequest, ListWorkersReply>(*invocation, &Coordinator::Stub::ListWorkers, {}, WorkerTable);
    };
  });
  AddVerb(app, "teachers", "The teacher servers that have registered", "mimeo teachers")->callback([invocation] {
    invocation->run = [invocation] {
      return CallAndPrint<ListTeachersRequest, ListTeachersReply>(*invocation, &Coordinator::Stub::ListTeachers, {}, TeacherTable);
    };
  });
  CLI::App* checkpoints = AddVerb(app, "checkpoints", "A job's committed checkpoints, newest first", "mimeo checkpoints j1");
  auto request = std::make_shared<ListCheckpointsRequest>();
  checkpoints->add_option("JOB", *request->mutable_job_id(), "the job's id")->required();
  checkpoints->callback([request, invocation] {
    invocation->run = [request, invocation] {
      return CallAndPrint<ListCheckpointsRequest, ListCheckpointsReply>(*invocation, &Coordinator::Stub::ListCheckpoints, *request, CheckpointTable);
    };
  });
}

}  // namespace mimeo
