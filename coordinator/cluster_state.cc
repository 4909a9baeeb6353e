#include "coordinator/cluster_state.h"

#include <algorithm>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace mimeo {
namespace {

absl::Status CheckName(absl::string_view field, absl::string_view name) {
  const bool legal = !name.empty() && name.size() <= limits::kNameBytes && absl::c_all_of(name, [](char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '-';
  });
  if (legal) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": \"", name.substr(0, 80), "\" is not [A-Za-z0-9_.-]{1,", limits::kNameBytes, "}"));
}

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

absl::Status CheckKind(const ClusterState& state, const JobSubmitted& event) {
  if (event.job_id() != state.NextJobId()) {
    return absl::InvalidArgumentError(
        absl::StrCat("job_submitted.job_id: ", event.job_id(), " is not the next one, ", state.NextJobId()));
  }
  RETURN_IF_ERROR(CheckName("request_id", event.request_id()));
  const int ranks = event.spec().resources().num_ranks();
  if (ranks < 1 || ranks > limits::kRanksPerJob) {
    return absl::InvalidArgumentError(
        absl::StrCat("resources.num_ranks: ", ranks, " is not in [1, ", limits::kRanksPerJob, "]"));
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

absl::Status CheckKind(const ClusterState& state, const CheckpointCommitted& event) {
  const CheckpointManifest& manifest = event.manifest();
  const JobInfo* job = nullptr;
  RETURN_IF_ERROR(FindJob(state, manifest.job_id(), &job));
  RETURN_IF_ERROR(CheckFence(*job, manifest.generation()));
  if (job->placement.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(job->id, " generation ", manifest.generation(), " has ended and is fenced: ", job->reason));
  }
  if (manifest.step() < 1) {
    return absl::InvalidArgumentError(absl::StrCat("manifest.step: ", manifest.step(), " is not positive"));
  }
  if (job->checkpoint_steps.size() < limits::kCheckpointsPerJob) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(job->id, " has ", limits::kCheckpointsPerJob, " checkpoints"));
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
  RETURN_IF_ERROR(CheckName("worker.id", worker.id()));
  RETURN_IF_ERROR(CheckName("worker.incarnation", worker.incarnation()));
  if (worker.slots() < 1 || worker.slots() > limits::kSlotsPerWorker) {
    return absl::InvalidArgumentError(
        absl::StrCat("worker.slots: ", worker.slots(), " is not in [1, ", limits::kSlotsPerWorker, "]"));
  }
  const auto before = state.workers().find(worker.id());
  if (before == state.workers().end()) {
    if (state.workers().size() < limits::kWorkers) return absl::OkStatus();
    return absl::ResourceExhaustedError(absl::StrCat(limits::kWorkers, " workers are registered"));
  }
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

absl::Status CheckKind(const ClusterState& state, const TeacherRegistered& event) {
  RETURN_IF_ERROR(CheckName("teacher.name", event.name()));
  RETURN_IF_ERROR(CheckName("teacher.incarnation", event.incarnation()));
  if (event.address().empty() || event.address().size() > limits::kReasonBytes) {
    return absl::InvalidArgumentError("teacher.address: not a host:port");
  }
  if (state.teachers().count(event.name()) > 0 || state.teachers().size() < limits::kWorkers) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(limits::kWorkers, " teachers are registered"));
}

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
  RETURN_IF_ERROR(CheckName("contract.name", event.contract().name()));
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

// The state of a job without a gang.
JobState IdleState(Want want) { return want == WANT_PAUSE ? JOB_STATE_PAUSED : JOB_STATE_PENDING; }

// What happened before is no reason any more to wait, to pause or to avoid a worker.
void Forgive(JobInfo* job) {
  job->failures_in_a_row = 0;
  job->failed_for_good = false;
  job->needs_person = false;
  job->status_code = 0;
  job->failures.clear();
}

void Remember(const WorkerFailure& failure, std::vector<WorkerFailure>* failures) {
  const auto same = [&](const WorkerFailure& before) { return before.worker_id() == failure.worker_id(); };
  failures->erase(std::remove_if(failures->begin(), failures->end(), same), failures->end());
  failures->push_back(failure);
  if (failures->size() > limits::kFailuresNamed) failures->erase(failures->begin());
}

absl::string_view WantReason(Want want) {
  switch (want) {
    case WANT_PAUSE:
      return "a person paused it";
    case WANT_CANCEL:
      return "a person cancelled it";
    default:
      return "a person resumed it";
  }
}

void AppendJob(const JobInfo& job, std::string* text) {
  absl::StrAppend(text, "job ", job.id, " sequence=", job.sequence, " state=", JobState_Name(job.state),
                  " want=", Want_Name(job.want), " generation=", job.generation, " placement=[",
                  absl::StrJoin(job.placement, " "), "] resume=", job.resume_step, " failures=", job.failures_in_a_row,
                  " for_good=", job.failed_for_good ? 1 : 0, " code=", job.status_code,
                  " needs_person=", job.needs_person ? 1 : 0, " paused_itself=", job.paused_itself ? 1 : 0);
  absl::StrAppend(text, " data=", job.dataset_digest, " samples=", job.num_samples, " steps=", job.total_steps,
                  " checkpoints=[", absl::StrJoin(job.checkpoint_steps, " "), "] submitted=", job.submitted_unix_ms,
                  " reason=\"", job.reason, "\"");
  for (const WorkerFailure& failure : job.failures) {
    absl::StrAppend(text, " failure={", failure.ShortDebugString(), "}");
  }
  for (const auto& [name, contract] : job.teachers) {
    absl::StrAppend(text, " teacher={", contract.ShortDebugString(), "}");
  }
  absl::StrAppend(text, " spec={", job.spec.ShortDebugString(), "}\n");
}

}  // namespace

bool IsFinal(JobState state) {
  return state == JOB_STATE_SUCCEEDED || state == JOB_STATE_FAILED || state == JOB_STATE_CANCELLED;
}

std::string StateName(JobState state) {
  return absl::AsciiStrToLower(absl::StripPrefix(JobState_Name(state), "JOB_STATE_"));
}

absl::Status CheckFence(const JobInfo& job, int64_t generation) {
  if (generation == job.generation) return absl::OkStatus();
  if (generation < job.generation) {
    return absl::FailedPreconditionError(
        absl::StrCat(job.id, " generation ", generation, " is fenced by ", job.generation));
  }
  return absl::FailedPreconditionError(
      absl::StrCat(job.id, " never had a generation ", generation, "; its newest is ", job.generation));
}

absl::Status ClusterState::Check(const Event& event) const {
  switch (event.kind_case()) {
    case Event::kJobSubmitted:
      return CheckKind(*this, event.job_submitted());
    case Event::kJobControlled:
      return CheckKind(*this, event.job_controlled());
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
    case Event::KIND_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("event.kind: not set, or of a newer version");
}

void ClusterState::SetState(JobInfo* job, JobState state) {
  --jobs_in_state_[job->state];
  ++jobs_in_state_[state];
  job->state = state;
}

int ClusterState::NumUnfinished() const {
  return NumJobs(JOB_STATE_PENDING) + NumJobs(JOB_STATE_RUNNING) + NumJobs(JOB_STATE_PAUSED);
}

void ClusterState::Submit(const Event& event) {
  const JobSubmitted& submitted = event.job_submitted();
  JobInfo& job = jobs_[submitted.job_id()];
  job.id = submitted.job_id();
  job.sequence = next_sequence_++;
  job.spec = submitted.spec();
  job.reason = "submitted";
  job.submitted_unix_ms = event.time().seconds() * 1000 + event.time().nanos() / 1000000;
  ++jobs_in_state_[job.state];
  requests_[submitted.request_id()] = job.id;
}

void ClusterState::Control(const JobControlled& controlled) {
  JobInfo& job = jobs_.at(controlled.job_id());
  job.want = controlled.want();
  job.reason = std::string(WantReason(job.want));
  job.paused_itself = false;
  if (job.want == WANT_RUN) Forgive(&job);
  if (job.placement.empty()) SetState(&job, IdleState(job.want));
}

void ClusterState::Place(const GangPlaced& placed) {
  JobInfo& job = jobs_.at(placed.job_id());
  SetState(&job, JOB_STATE_RUNNING);
  job.generation = placed.generation();
  job.placement.assign(placed.worker_ids().begin(), placed.worker_ids().end());
  job.resume_step = placed.resume_step();
  job.reason = placed.reason();
  for (const std::string& worker : job.placement) ++slots_held_[worker][job.id];
  slots_busy_ += static_cast<int>(job.placement.size());
}

void ClusterState::End(const GangEnded& ended) {
  JobInfo& job = jobs_.at(ended.job_id());
  for (const std::string& worker : job.placement) slots_held_[worker].erase(job.id);
  slots_busy_ -= static_cast<int>(job.placement.size());
  job.placement.clear();
  job.reason = ended.reason();
  SetState(&job, ended.end() == GANG_END_COMPLETED ? JOB_STATE_SUCCEEDED : IdleState(job.want));
  for (const WorkerFailure& failure : ended.failures()) Remember(failure, &job.failures);
  if (ended.end() != GANG_END_FAILED) return;
  ++job.failures_in_a_row;
  job.status_code = ended.status_code();
  job.failed_for_good = ended.permanent();
  job.needs_person = ended.needs_person();
}

void ClusterState::Register(const WorkerIdentity& worker) {
  WorkerIdentity& registered = workers_[worker.id()].identity;
  slots_ += worker.slots() - registered.slots();
  registered = worker;
}

void ClusterState::Forget(const std::string& worker_id) {
  slots_ -= workers_.at(worker_id).identity.slots();
  workers_.erase(worker_id);
  slots_held_.erase(worker_id);
}

void ClusterState::AddCheckpoint(const CheckpointManifest& manifest) {
  JobInfo& job = jobs_.at(manifest.job_id());
  const auto place = absl::c_lower_bound(job.checkpoint_steps, manifest.step());
  if (place == job.checkpoint_steps.end()) Forgive(&job);
  if (place == job.checkpoint_steps.end() || *place != manifest.step())
    job.checkpoint_steps.insert(place, manifest.step());
}

void ClusterState::Pause(const JobPaused& paused) {
  JobInfo& job = jobs_.at(paused.job_id());
  job.want = WANT_PAUSE;
  SetState(&job, JOB_STATE_PAUSED);
  job.paused_itself = true;
  job.reason = paused.reason();
  job.status_code = paused.status_code();
}

void ClusterState::Delete(const std::string& job_id) {
  --jobs_in_state_[jobs_.at(job_id).state];
  jobs_.erase(job_id);
  for (auto request = requests_.begin(); request != requests_.end();) {
    request = request->second == job_id ? requests_.erase(request) : std::next(request);
  }
}

void ClusterState::Apply(const Event& event) {
  switch (event.kind_case()) {
    case Event::kJobSubmitted:
      return Submit(event);
    case Event::kJobControlled:
      return Control(event.job_controlled());
    case Event::kGangPlaced:
      return Place(event.gang_placed());
    case Event::kGangEnded:
      return End(event.gang_ended());
    case Event::kDatasetPinned: {
      const DatasetPinned& pinned = event.dataset_pinned();
      JobInfo& job = jobs_.at(pinned.job_id());
      job.dataset_digest = pinned.digest();
      job.num_samples = pinned.num_samples();
      job.total_steps = pinned.total_steps();
      return;
    }
    case Event::kCheckpointCommitted:
      return AddCheckpoint(event.checkpoint_committed().manifest());
    case Event::kCheckpointDeleted: {
      std::vector<int64_t>& steps = jobs_.at(event.checkpoint_deleted().job_id()).checkpoint_steps;
      steps.erase(absl::c_lower_bound(steps, event.checkpoint_deleted().step()));
      return;
    }
    case Event::kJobFinished: {
      JobInfo& job = jobs_.at(event.job_finished().job_id());
      SetState(&job, event.job_finished().state());
      job.reason = event.job_finished().reason();
      job.status_code = event.job_finished().status_code();
      return;
    }
    case Event::kWorkerRegistered:
      return Register(event.worker_registered().worker());
    case Event::kWorkerForgotten:
      return Forget(event.worker_forgotten().worker_id());
    case Event::kTeacherRegistered: {
      const TeacherRegistered& teacher = event.teacher_registered();
      teachers_[teacher.name()] = {teacher.name(), teacher.incarnation(), teacher.address()};
      return;
    }
    case Event::kTeacherForgotten:
      teachers_.erase(event.teacher_forgotten().name());
      return;
    case Event::kJobPaused:
      return Pause(event.job_paused());
    case Event::kTeacherPinned: {
      const TeacherContract& contract = event.teacher_pinned().contract();
      jobs_.at(event.teacher_pinned().job_id()).teachers[contract.name()] = contract;
      return;
    }
    case Event::kWorkerDrained: {
      const WorkerDrained& drained = event.worker_drained();
      if (drained.drained()) drained_.insert(drained.worker_id());
      if (!drained.drained()) drained_.erase(drained.worker_id());
      return;
    }
    case Event::kJobDeleted:
      return Delete(event.job_deleted().job_id());
    case Event::KIND_NOT_SET:
      return;
  }
}

int ClusterState::SlotsBusy(const std::string& worker_id) const {
  int busy = 0;
  for (const auto& [job, slots] : SlotsHeld(worker_id)) busy += slots;
  return busy;
}

const std::map<std::string, int>& ClusterState::SlotsHeld(const std::string& worker_id) const {
  static const auto* const nothing = new std::map<std::string, int>;
  const auto found = slots_held_.find(worker_id);
  return found == slots_held_.end() ? *nothing : found->second;
}

std::string ClusterState::NextJobId() const { return absl::StrCat("j", next_sequence_); }

std::string ClusterState::DebugString() const {
  std::string text = absl::StrCat("next_sequence=", next_sequence_, "\n");
  for (const auto& [id, job] : jobs_) AppendJob(job, &text);
  for (const auto& [id, worker] : workers_) {
    absl::StrAppend(&text, "worker ", worker.identity.ShortDebugString(), " busy=", SlotsBusy(id), "\n");
  }
  for (const std::string& id : drained_) absl::StrAppend(&text, "drained ", id, "\n");
  for (const auto& [name, teacher] : teachers_) {
    absl::StrAppend(&text, "teacher ", name, " incarnation=", teacher.incarnation, " address=", teacher.address, "\n");
  }
  for (const auto& [request, job] : requests_) absl::StrAppend(&text, "request ", request, " -> ", job, "\n");
  return text;
}

}  // namespace mimeo
