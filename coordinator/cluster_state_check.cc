// Which events are legal in which state, and which are within today's limits. The two are apart because the second may
// change from one version to the next: CheckLimits asks for what a new event must be, CheckKind only for what the
// events before it make impossible.
#include <map>
#include <string>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "coordinator/cluster_state.h"
#include "job/job_state.h"

namespace mimeo {
namespace {

absl::Status FindJob(const ClusterState& state, const std::string& id, const JobInfo** job) {
  const auto found = state.jobs().find(id);
  if (found == state.jobs().end()) return absl::NotFoundError(absl::StrCat("no job \"", id, "\""));
  *job = &found->second;
  return absl::OkStatus();
}

absl::Status FindUnfinished(const ClusterState& state, const std::string& id, const JobInfo** job) {
  RETURN_IF_ERROR(FindJob(state, id, job));
  if (!IsFinal((*job)->state)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(id, " is ", StateName((*job)->state), " already"));
}

bool HasCheckpoint(const JobInfo& job, int64_t step) { return absl::c_binary_search(job.checkpoint_steps, step); }

// What a Timestamp may hold, the years 1 to 9999; more would not fit into milliseconds.
absl::Status CheckTime(const google::protobuf::Timestamp& time) {
  constexpr int64_t kFirst = -62135596800, kLast = 253402300799;
  if (time.seconds() >= kFirst && time.seconds() <= kLast) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("event.time.seconds: ", time.seconds(), " is not in [", kFirst, ", ", kLast, "]"));
}

absl::Status CheckKind(const ClusterState& state, const JobSubmitted& event) {
  if (event.job_id() != state.NextJobId()) {
    return absl::InvalidArgumentError(
        absl::StrCat("job_submitted.job_id: ", event.job_id(), " is not the next one, ", state.NextJobId()));
  }
  const auto before = state.requests().find(event.request_id());
  if (before == state.requests().end()) return absl::OkStatus();
  return absl::AlreadyExistsError(absl::StrCat("request ", event.request_id(), " made ", before->second));
}

absl::Status CheckKind(const ClusterState& state, const JobControlled& event) {
  const JobInfo* job = nullptr;
  RETURN_IF_ERROR(FindJob(state, event.job_id(), &job));
  const bool comes_back = job->state == JOB_STATE_FAILED && event.want() == WANT_RUN;
  if (!comes_back) RETURN_IF_ERROR(FindUnfinished(state, event.job_id(), &job));
  if (event.want() != WANT_RUN && event.want() != WANT_PAUSE && event.want() != WANT_CANCEL) {
    return absl::InvalidArgumentError(
        absl::StrCat("want: ", static_cast<int>(event.want()), " is none of WANT_RUN, WANT_PAUSE, WANT_CANCEL"));
  }
  if (job->want == WANT_CANCEL && event.want() != WANT_CANCEL) {
    return absl::FailedPreconditionError(absl::StrCat(job->id, " is being cancelled"));
  }
  return absl::OkStatus();
}

absl::Status CheckKind(const ClusterState& state, const JobExtended& event) {
  const JobInfo* job = nullptr;
  RETURN_IF_ERROR(FindJob(state, event.job_id(), &job));
  if (job->state != JOB_STATE_SUCCEEDED) {
    return absl::FailedPreconditionError(
        absl::StrCat(job->id, " is ", StateName(job->state), "; only a job that has succeeded can be extended",
                     job->state == JOB_STATE_FAILED || job->state == JOB_STATE_PAUSED
                         ? absl::StrCat(" (`mimeo resume ", job->id, "` lets one go on that failed or is paused)")
                         : ""));
  }
  if (job->checkpoint_steps.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(job->id, " has no checkpoint to go on from"));
  }
  if (event.total_steps() > job->checkpoint_steps.back()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(job->id, " has done ", job->checkpoint_steps.back(), " steps, and ",
                                                    event.total_steps(), " are no more than that"));
}

absl::Status CheckKind(const ClusterState& state, const GangPlaced& event) {
  const JobInfo* job = nullptr;
  RETURN_IF_ERROR(FindUnfinished(state, event.job_id(), &job));
  if (job->state != JOB_STATE_PENDING || job->want != WANT_RUN) {
    return absl::FailedPreconditionError(
        absl::StrCat(job->id, " is ", StateName(job->state), "; ", Want_Name(job->want)));
  }
  if (event.generation() != job->generation + 1) {
    return absl::FailedPreconditionError(absl::StrCat("gang_placed.generation: ", event.generation(),
                                                      " does not follow ", job->generation, " of ", job->id));
  }
  if (event.worker_ids_size() != job->spec.resources().num_ranks()) {
    return absl::InvalidArgumentError(absl::StrCat("gang_placed.worker_ids: ", event.worker_ids_size(), " for ",
                                                   job->spec.resources().num_ranks(), " ranks of ", job->id));
  }
  if (event.resume_step() != 0 && !HasCheckpoint(*job, event.resume_step())) {
    return absl::FailedPreconditionError(
        absl::StrCat("gang_placed.resume_step: ", job->id, " has no checkpoint of step ", event.resume_step()));
  }
  std::map<std::string, int> taken;
  for (const std::string& id : event.worker_ids()) {
    const auto worker = state.workers().find(id);
    if (worker == state.workers().end()) return absl::NotFoundError(absl::StrCat("no worker \"", id, "\""));
    if (state.SlotsBusy(id) + ++taken[id] > worker->second.identity.slots()) {
      return absl::FailedPreconditionError(absl::StrCat("gang_placed.worker_ids: ", id, " has ",
                                                        worker->second.identity.slots(), " slots, ",
                                                        state.SlotsBusy(id), " busy"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckKind(const ClusterState& state, const GangEnded& event) {
  const JobInfo* job = nullptr;
  RETURN_IF_ERROR(FindUnfinished(state, event.job_id(), &job));
  if (job->placement.empty() || event.generation() != job->generation) {
    return absl::FailedPreconditionError(
        absl::StrCat(job->id, " does not run generation ", event.generation(), "; its newest is ", job->generation));
  }
  if (event.end() == GANG_END_UNSPECIFIED || !GangEnd_IsValid(event.end())) {
    return absl::InvalidArgumentError(absl::StrCat("gang_ended.end: ", static_cast<int>(event.end()), " is unknown"));
  }
  return absl::OkStatus();
}

absl::Status CheckKind(const ClusterState& state, const DatasetPinned& event) {
  const JobInfo* job = nullptr;
  RETURN_IF_ERROR(FindUnfinished(state, event.job_id(), &job));
  if (event.digest().empty()) return absl::InvalidArgumentError("dataset_pinned.digest: empty");
  if (job->dataset_digest.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(job->id, " has its data pinned to ", job->dataset_digest));
}

absl::Status CheckKind(const ClusterState& state, const DataDescribed& event) {
  const JobInfo* job = nullptr;
  return FindUnfinished(state, event.job_id(), &job);
}

absl::Status CheckKind(const ClusterState& state, const CheckpointCommitted& event) {
  const CheckpointManifest& manifest = event.manifest();
  const JobInfo* job = nullptr;
  RETURN_IF_ERROR(FindJob(state, manifest.job_id(), &job));
  RETURN_IF_ERROR(CheckFence(*job, manifest.generation()));
  if (job->placement.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(job->id, " generation ", manifest.generation(), " has ended and is fenced: ", job->reason));
  }
  if (manifest.step() >= 1) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("manifest.step: ", manifest.step(), " is not positive"));
}

absl::Status CheckKind(const ClusterState& state, const CheckpointDeleted& event) {
  const JobInfo* job = nullptr;
  RETURN_IF_ERROR(FindJob(state, event.job_id(), &job));
  if (!HasCheckpoint(*job, event.step())) {
    return absl::NotFoundError(absl::StrCat(job->id, " has no checkpoint of step ", event.step()));
  }
  if (event.step() != job->checkpoint_steps.back()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("step ", event.step(), " is the newest checkpoint of ", job->id));
}

absl::Status CheckKind(const ClusterState& state, const JobDeleted& event) {
  const JobInfo* job = nullptr;
  RETURN_IF_ERROR(FindJob(state, event.job_id(), &job));
  if (IsFinal(job->state) && job->placement.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(job->id, " is ", StateName(job->state),
                                                    "; only a job that has ended can be deleted, so cancel it first"));
}

absl::Status CheckKind(const ClusterState& state, const JobFinished& event) {
  const JobInfo* job = nullptr;
  RETURN_IF_ERROR(FindUnfinished(state, event.job_id(), &job));
  if (!job->placement.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(job->id, " runs generation ", job->generation));
  }
  if (event.state() == JOB_STATE_FAILED || event.state() == JOB_STATE_CANCELLED) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("job_finished.state: ", JobState_Name(event.state()), "; a job succeeds with its gang's end"));
}

absl::Status CheckKind(const ClusterState& state, const WorkerRegistered& event) {
  const WorkerIdentity& worker = event.worker();
  const auto before = state.workers().find(worker.id());
  if (before == state.workers().end()) return absl::OkStatus();
  const int busy = state.SlotsBusy(worker.id());
  if (busy > 0 && before->second.identity.incarnation() != worker.incarnation()) {
    return absl::FailedPreconditionError(
        absl::StrCat(worker.id(), " restarted: end the gangs on its ", busy, " slots first"));
  }
  if (busy <= worker.slots()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("worker.slots: ", worker.slots(), " is fewer than the ", busy, " busy ones of ", worker.id()));
}

absl::Status CheckKind(const ClusterState& state, const WorkerForgotten& event) {
  if (state.workers().count(event.worker_id()) == 0) {
    return absl::NotFoundError(absl::StrCat("no worker \"", event.worker_id(), "\""));
  }
  if (state.SlotsBusy(event.worker_id()) == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(event.worker_id(), " runs ranks"));
}

absl::Status CheckKind(const ClusterState&, const TeacherRegistered&) { return absl::OkStatus(); }

absl::Status CheckKind(const ClusterState& state, const TeacherForgotten& event) {
  if (state.teachers().count(event.name()) > 0) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("no teacher \"", event.name(), "\""));
}

absl::Status CheckKind(const ClusterState& state, const JobPaused& event) {
  const JobInfo* job = nullptr;
  RETURN_IF_ERROR(FindUnfinished(state, event.job_id(), &job));
  if (job->placement.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(job->id, " runs generation ", job->generation));
}

absl::Status CheckKind(const ClusterState& state, const TeacherPinned& event) {
  const JobInfo* job = nullptr;
  RETURN_IF_ERROR(FindUnfinished(state, event.job_id(), &job));
  const auto pinned = job->teachers.find(event.contract().name());
  if (pinned == job->teachers.end()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(job->id, " has teacher ", event.contract().name(), " pinned to ", pinned->second.weights_digest()));
}

absl::Status CheckKind(const ClusterState& state, const WorkerDrained& event) {
  const bool taken_back = !event.drained() && state.IsDrained(event.worker_id());
  if (taken_back || state.workers().count(event.worker_id()) > 0) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("no worker \"", event.worker_id(), "\""));
}

absl::Status CheckName(absl::string_view field, absl::string_view name) {
  const bool legal = !name.empty() && name.size() <= limits::kNameBytes && absl::c_all_of(name, [](char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '-';
  });
  if (legal) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": \"", name.substr(0, 80), "\" is not [A-Za-z0-9_.-]{1,", limits::kNameBytes, "}"));
}

absl::Status CheckLimits(const ClusterState&, const JobSubmitted& event) {
  RETURN_IF_ERROR(CheckName("request_id", event.request_id()));
  const int ranks = event.spec().resources().num_ranks();
  if (ranks >= 1 && ranks <= limits::kRanksPerJob) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("resources.num_ranks: ", ranks, " is not in [1, ", limits::kRanksPerJob, "]"));
}

absl::Status CheckLimits(const ClusterState& state, const CheckpointCommitted& event) {
  const auto job = state.jobs().find(event.manifest().job_id());
  // A fenced generation hears of its fence.
  if (job == state.jobs().end() || job->second.generation != event.manifest().generation() ||
      job->second.checkpoint_steps.size() < limits::kCheckpointsPerJob) {
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(absl::StrCat(job->first, " has ", limits::kCheckpointsPerJob, " checkpoints"));
}

absl::Status CheckLimits(const ClusterState& state, const WorkerRegistered& event) {
  const WorkerIdentity& worker = event.worker();
  RETURN_IF_ERROR(CheckName("worker.id", worker.id()));
  RETURN_IF_ERROR(CheckName("worker.incarnation", worker.incarnation()));
  if (worker.slots() < 1 || worker.slots() > limits::kSlotsPerWorker) {
    return absl::InvalidArgumentError(
        absl::StrCat("worker.slots: ", worker.slots(), " is not in [1, ", limits::kSlotsPerWorker, "]"));
  }
  if (state.workers().count(worker.id()) > 0 || state.workers().size() < limits::kWorkers) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(limits::kWorkers, " workers are registered"));
}

absl::Status CheckLimits(const ClusterState& state, const TeacherRegistered& event) {
  RETURN_IF_ERROR(CheckName("teacher.name", event.name()));
  RETURN_IF_ERROR(CheckName("teacher.incarnation", event.incarnation()));
  if (event.address().empty() || event.address().size() > limits::kReasonBytes) {
    return absl::InvalidArgumentError(absl::StrCat("teacher.address: ", event.address().size(),
                                                   " bytes; must be HOST:PORT of at most ", limits::kReasonBytes));
  }
  if (state.teachers().count(event.name()) > 0 || state.teachers().size() < limits::kWorkers) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(limits::kWorkers, " teachers are registered"));
}

}  // namespace

absl::Status ClusterState::Check(const Event& event) const {
  switch (event.kind_case()) {
    case Event::kJobSubmitted:
      RETURN_IF_ERROR(CheckLimits(*this, event.job_submitted()));
      break;
    case Event::kCheckpointCommitted:
      RETURN_IF_ERROR(CheckLimits(*this, event.checkpoint_committed()));
      break;
    case Event::kWorkerRegistered:
      RETURN_IF_ERROR(CheckLimits(*this, event.worker_registered()));
      break;
    case Event::kTeacherRegistered:
      RETURN_IF_ERROR(CheckLimits(*this, event.teacher_registered()));
      break;
    case Event::kTeacherPinned:
      RETURN_IF_ERROR(CheckName("contract.name", event.teacher_pinned().contract().name()));
      break;
    default:
      break;
  }
  return CheckReplayed(event);
}

absl::Status ClusterState::CheckReplayed(const Event& event) const {
  RETURN_IF_ERROR(CheckTime(event.time()));
  switch (event.kind_case()) {
    case Event::kJobSubmitted:
      return CheckKind(*this, event.job_submitted());
    case Event::kJobControlled:
      return CheckKind(*this, event.job_controlled());
    case Event::kJobExtended:
      return CheckKind(*this, event.job_extended());
    case Event::kGangPlaced:
      return CheckKind(*this, event.gang_placed());
    case Event::kGangEnded:
      return CheckKind(*this, event.gang_ended());
    case Event::kDatasetPinned:
      return CheckKind(*this, event.dataset_pinned());
    case Event::kCheckpointCommitted:
      return CheckKind(*this, event.checkpoint_committed());
    case Event::kCheckpointDeleted:
      return CheckKind(*this, event.checkpoint_deleted());
    case Event::kJobFinished:
      return CheckKind(*this, event.job_finished());
    case Event::kWorkerRegistered:
      return CheckKind(*this, event.worker_registered());
    case Event::kWorkerForgotten:
      return CheckKind(*this, event.worker_forgotten());
    case Event::kTeacherRegistered:
      return CheckKind(*this, event.teacher_registered());
    case Event::kTeacherForgotten:
      return CheckKind(*this, event.teacher_forgotten());
    case Event::kJobPaused:
      return CheckKind(*this, event.job_paused());
    case Event::kTeacherPinned:
      return CheckKind(*this, event.teacher_pinned());
    case Event::kWorkerDrained:
      return CheckKind(*this, event.worker_drained());
    case Event::kJobDeleted:
      return CheckKind(*this, event.job_deleted());
    case Event::kDataDescribed:
      return CheckKind(*this, event.data_described());
    case Event::KIND_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("event.kind: not set, or of a newer version");
}

}  // namespace mimeo
