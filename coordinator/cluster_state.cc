#include "coordinator/cluster_state.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/limits.h"
#include "coordinator/event_job.h"
#include "coordinator/job_history.h"

namespace mimeo {
namespace {

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

int64_t UnixMs(const google::protobuf::Timestamp& time) { return time.seconds() * 1000 + time.nanos() / 1000000; }

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
  for (const DataContents& data : job.data) absl::StrAppend(text, " data={", data.ShortDebugString(), "}");
  absl::StrAppend(text, " owner=", job.owner, " started=", job.started_unix_ms, " finished=", job.finished_unix_ms);
  for (const HistoryEntry& line : job.history) absl::StrAppend(text, " line={", line.ShortDebugString(), "}");
  for (const PastGeneration& past : job.generations) {
    absl::StrAppend(text, " ran={", past.generation, ": ", absl::StrJoin(past.workers, " "), "}");
  }
  absl::StrAppend(text, " spec={", job.spec.ShortDebugString(), "}\n");
}

}  // namespace

bool IsFinal(JobState state) {
  return state == JOB_STATE_SUCCEEDED || state == JOB_STATE_FAILED || state == JOB_STATE_CANCELLED;
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
  job.request_id = submitted.request_id();
  job.spec = submitted.spec();
  job.reason = "submitted";
  job.submitted_unix_ms = UnixMs(event.time());
  job.owner = submitted.owner();
  ++jobs_in_state_[job.state];
  requests_[job.request_id] = job.id;
  order_[job.sequence] = job.id;
}

// It is as a job that was submitted with this spec and has come as far as its checkpoints.
void ClusterState::Extend(const JobExtended& extended) {
  JobInfo& job = jobs_.at(extended.job_id());
  job.spec = extended.spec();
  job.total_steps = extended.total_steps();
  job.want = WANT_RUN;
  job.reason = "extended";
  Forgive(&job);
  SetState(&job, JOB_STATE_PENDING);
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
  job.generations.push_back({job.generation, job.placement});
  if (job.generations.size() > kGenerationsKept) job.generations.erase(job.generations.begin());
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
  slots_ += int64_t{worker.slots()} - registered.slots();
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
  const auto job = jobs_.find(job_id);
  --jobs_in_state_[job->second.state];
  requests_.erase(job->second.request_id);
  order_.erase(job->second.sequence);
  jobs_.erase(job);
}

void ClusterState::Apply(const Event& event) {
  const std::string job_id = JobOf(event);
  const auto before = jobs_.find(job_id);
  JobSpec spec;
  if (event.has_job_extended() && before != jobs_.end()) spec = before->second.spec;
  ApplyKind(event);
  const auto found = jobs_.find(job_id);
  if (found == jobs_.end()) return;  // it is no job's event, or the job was deleted
  JobInfo& job = found->second;
  if (event.has_gang_placed() && job.started_unix_ms == 0) job.started_unix_ms = UnixMs(event.time());
  if (!IsFinal(job.state)) job.finished_unix_ms = 0;
  if (IsFinal(job.state) && job.finished_unix_ms == 0) job.finished_unix_ms = UnixMs(event.time());
  const HistoryFacts facts = {job.failures_in_a_row, job.spec.resources().max_restarts(), &spec};
  std::optional<HistoryEntry> line = HistoryLine(event, facts);
  if (line.has_value()) AddHistory(*std::move(line), &job.history);
}

void ClusterState::ApplyKind(const Event& event) {
  switch (event.kind_case()) {
    case Event::kJobSubmitted:
      return Submit(event);
    case Event::kJobControlled:
      return Control(event.job_controlled());
    case Event::kJobExtended:
      return Extend(event.job_extended());
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
    case Event::kDataDescribed: {
      const DataDescribed& described = event.data_described();
      jobs_.at(described.job_id()).data.assign(described.data().begin(), described.data().end());
      return;
    }
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
