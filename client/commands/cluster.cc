#include <google/protobuf/util/time_util.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "base/limits.h"
#include "base/print.h"
#include "base/text.h"
#include "base/wait.h"
#include "client/commands/call.h"
#include "client/commands/job_names.h"
#include "client/exit_code.h"
#include "client/worker_text.h"

namespace mimeo {
namespace {

using google::protobuf::util::TimeUtil;

constexpr absl::Duration kWatchPeriod = absl::Seconds(1);

std::vector<std::string> TeacherRow(const TeacherInfo& teacher) {
  return {teacher.name(), teacher.address(), SilenceText(teacher.silent_for())};
}

std::vector<std::string> CheckpointRow(const CheckpointManifest& manifest) {
  return {absl::StrCat(manifest.step()), absl::StrCat(manifest.generation()), absl::StrCat(manifest.total_bytes()),
          absl::StrFormat("%.1fms", manifest.pause_seconds() * 1000), TimeUtil::ToString(manifest.created())};
}

// The worker of this id, asked for page by page. NotFound: it is not there.
absl::StatusOr<Worker> FindWorker(const Invocation& invocation, const std::string& id) {
  ListWorkersRequest request;
  while (true) {
    ListWorkersReply page;
    const absl::Status status = Call(invocation, &Coordinator::Stub::ListWorkers, request, &page);
    if (!status.ok()) return status;
    for (const Worker& worker : page.workers()) {
      if (worker.identity().id() == id) return worker;
    }
    if (page.next_page_token().empty() || page.next_page_token() == request.page_token()) {
      return absl::NotFoundError(absl::StrCat("there is no worker ", id));
    }
    request.set_page_token(page.next_page_token());
  }
}

// Until nothing runs on a drained worker any more, or it has left. Aborted: somebody took the drain back.
absl::Status AwaitEmpty(const Invocation& invocation, const std::string& id) {
  while (true) {
    const absl::StatusOr<Worker> worker = FindWorker(invocation, id);
    if (absl::IsNotFound(worker.status()) || (worker.ok() && worker->drained() && worker->slots_busy() == 0)) {
      return absl::OkStatus();
    }
    if (!worker.ok()) return worker.status();
    if (!worker->drained()) {
      return absl::AbortedError(
          absl::StrCat(id, " was undrained while ", worker->slots_busy(), " of its slots were busy"));
    }
    WaitFor(kWatchPeriod);
  }
}

int Drain(const Invocation& invocation, const std::string& id, bool drained, bool wait) {
  DrainWorkerRequest request;
  request.set_worker_id(id);
  request.set_drained(drained);
  DrainWorkerReply reply;
  absl::Status status = Call(invocation, &Coordinator::Stub::DrainWorker, request, &reply);
  if (!status.ok()) return Ended(status);
  if (!wait) return PrintReply(invocation, reply, [&] { return DrainText(reply.worker()) + "\n"; });
  if (!invocation.json()) Print(stdout, DrainText(reply.worker()) + "\n");
  status = AwaitEmpty(invocation, id);
  if (!status.ok()) return Ended(status);
  reply.mutable_worker()->set_slots_busy(0);
  return PrintReply(invocation, reply, [&] { return absl::StrCat(ToText(id), ": its slots are empty\n"); });
}

void AddDrain(CLI::App* app, Invocation* invocation) {
  CLI::App* drain =
      AddVerb(app, "drain", "Place nothing new on a worker, and move its gangs away, each after a checkpoint",
              "mimeo drain w1 --wait");
  auto worker = std::make_shared<std::string>();
  auto wait = std::make_shared<bool>(false);
  AddText(drain, "WORKER", worker.get(), "the worker's id")->required();
  drain->add_flag("--wait", *wait, "return only when nothing runs there any more");
  drain->callback([=] { invocation->run = [=] { return Drain(*invocation, *worker, /*drained=*/true, *wait); }; });
  AddVerbOn(app, invocation, "undrain", "Offer gangs to a drained worker again", "WORKER", "the worker's id", "w1",
            [](const Invocation& invocation, const std::string& id) {
              return Drain(invocation, id, /*drained=*/false, /*wait=*/false);
            });
}

}  // namespace

void AddClusterVerbs(CLI::App* app, Invocation* invocation) {
  AddVerb(app, "workers", "The workers: their slots, their state, and why one is offered nothing", "mimeo workers")
      ->callback([invocation] {
        invocation->run = [invocation] {
          return ListAndPrint<ListWorkersRequest, ListWorkersReply, Worker>(
              *invocation,
              {"workers", &Coordinator::Stub::ListWorkers, &ListWorkersReply::workers, WorkerHeader(), WorkerRow}, {});
        };
      });
  AddDrain(app, invocation);
  AddVerb(app, "teachers", "The teacher servers that have registered", "mimeo teachers")->callback([invocation] {
    invocation->run = [invocation] {
      return ListAndPrint<ListTeachersRequest, ListTeachersReply, TeacherInfo>(*invocation,
                                                                               {"teachers",
                                                                                &Coordinator::Stub::ListTeachers,
                                                                                &ListTeachersReply::teachers,
                                                                                {"TEACHER", "ADDRESS", "SILENT"},
                                                                                TeacherRow},
                                                                               {});
    };
  });
  AddVerbOn(app, invocation, "checkpoints", "A job's committed checkpoints, newest first", "JOB",
            "the job's id, or its name", "j1", [](const Invocation& invocation, const std::string& word) {
              const absl::StatusOr<std::string> job = FindJob(invocation, word);
              if (!job.ok()) return Ended(job.status());
              ListCheckpointsRequest request;
              request.set_job_id(*job);
              return ListAndPrint<ListCheckpointsRequest, ListCheckpointsReply, CheckpointManifest>(
                  invocation,
                  {"manifests",
                   &Coordinator::Stub::ListCheckpoints,
                   &ListCheckpointsReply::manifests,
                   {"STEP", "GENERATION", "BYTES", "PAUSE", "CREATED"},
                   CheckpointRow},
                  request);
            });
}

}  // namespace mimeo
