// CoordinatorCore's face for workers and teachers.
#include <spdlog/spdlog.h>

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "coordinator/coordinator.h"
#include "job/job_shape.h"

namespace mimeo {
namespace {

// True when it was not heard of within the lease until now: there may be something new to decide.
bool Hear(const std::string& name, absl::Time now, absl::Duration lease, std::map<std::string, absl::Time>* heard) {
  const auto [entry, is_new] = heard->emplace(name, now);
  const bool was_silent = is_new || now - entry->second > lease;
  entry->second = now;
  return was_silent;
}

bool SameIdentity(const WorkerIdentity& a, const WorkerIdentity& b) {
  return a.SerializeAsString() == b.SerializeAsString();
}

Event FailedGang(const std::string& job_id, int64_t generation, const absl::Status& error) {
  Event event;
  GangEnded* ended = event.mutable_gang_ended();
  ended->set_job_id(job_id);
  ended->set_generation(generation);
  ended->set_end(GANG_END_FAILED);
  ended->set_reason(std::string(error.message()));
  ended->set_status_code(static_cast<int>(error.code()));
  return event;
}

absl::Status Superseded(absl::string_view name) {
  return absl::FailedPreconditionError(absl::StrCat("a newer incarnation of ", name, " is registered"));
}

}  // namespace

absl::Status CoordinatorCore::RegisterWorker(const WorkerIdentity& worker) {
  absl::MutexLock lock(&mu_);
  Event event;
  *event.mutable_worker_registered()->mutable_worker() = worker;
  const absl::Status legal = state_.Check(event);
  if (absl::IsInvalidArgument(legal) || absl::IsResourceExhausted(legal)) return legal;
  const auto superseded = superseded_workers_.find(worker.id());
  if (superseded != superseded_workers_.end() && superseded->second == worker.incarnation()) {
    return Superseded(worker.id());
  }

  const auto before = state_.workers().find(worker.id());
  const bool known = before != state_.workers().end();
  if (!known || !SameIdentity(before->second.identity, worker)) {
    const std::string old = known ? before->second.identity.incarnation() : worker.incarnation();
    if (old != worker.incarnation()) {
      const absl::Status died = absl::AbortedError(absl::StrCat(worker.id(), " restarted: its ranks died with it"));
      for (const auto& [job_id, slots] : std::map<std::string, int>(state_.SlotsHeld(worker.id()))) {
        RETURN_IF_ERROR(Commit(FailedGang(job_id, state_.jobs().at(job_id).generation, died)));
      }
      superseded_workers_[worker.id()] = old;
    }
    RETURN_IF_ERROR(Commit(event));
  }
  Hear(worker.id(), clock_->Now(), options_.lease, &liveness_.worker_heard);
  DecideAndCommit();
  return absl::OkStatus();
}

absl::Status CoordinatorCore::CheckIncarnation(const std::string& worker_id, const std::string& incarnation) const {
  const auto worker = state_.workers().find(worker_id);
  if (worker == state_.workers().end()) {
    return absl::NotFoundError(
        absl::StrCat("worker \"", worker_id.substr(0, limits::kNameBytes), "\" is not registered"));
  }
  return worker->second.identity.incarnation() == incarnation ? absl::OkStatus() : Superseded(worker_id);
}

absl::StatusOr<HeartbeatReply> CoordinatorCore::Heartbeat(const HeartbeatRequest& request) {
  absl::MutexLock lock(&mu_);
  RETURN_IF_ERROR(CheckIncarnation(request.worker_id(), request.incarnation()));
  const int64_t events_before = journal_.size();
  const bool was_silent = Hear(request.worker_id(), clock_->Now(), options_.lease, &liveness_.worker_heard);
  HearRanks(request);
  if (was_silent || journal_.size() != events_before) DecideAndCommit();

  HeartbeatReply reply;
  for (const auto& [job_id, slots] : state_.SlotsHeld(request.worker_id())) {
    AddOrder(state_.jobs().at(job_id), request.worker_id(), &reply);
  }
  metrics_->HeartbeatAnswered();
  return reply;
}

void CoordinatorCore::HearRanks(const HeartbeatRequest& request) {
  std::set<std::string> news;
  for (const RankStatus& status : request.ranks()) {
    const auto job = state_.jobs().find(status.job_id());
    if (job == state_.jobs().end()) continue;
    if (reports_.Hear(job->second, request.worker_id(), status)) news.insert(status.job_id());
  }
  for (const std::string& job_id : news) {
    const JobInfo& job = state_.jobs().at(job_id);
    Touch(job_id);
    metrics_->JobStep(job_id, reports_.Of(job).step);
  }
  // Not only for the news: what could not be journalled the last time is tried again.
  for (const auto& [job_id, slots] : std::map<std::string, int>(state_.SlotsHeld(request.worker_id()))) {
    const JobInfo& job = state_.jobs().at(job_id);
    if (job.want == WANT_PAUSE) reports_.Of(job).told_to_stop = true;
    for (std::vector<Event> events = EventsOf(job, reports_.Of(job)); !events.empty();
         events = EventsOf(job, reports_.Of(job))) {
      if (!Commit(events.front()).ok()) break;
    }
  }
}

GangAssignment CoordinatorCore::CommonAssignment(const JobInfo& job) {
  GangAssignment assignment;
  assignment.set_job_id(job.id);
  assignment.set_generation(job.generation);
  assignment.set_num_ranks(static_cast<int>(job.placement.size()));
  *assignment.mutable_spec() = job.spec;
  for (const std::string& name : TeacherNames(job.spec)) {
    const auto teacher = state_.teachers().find(name);
    if (teacher == state_.teachers().end()) continue;
    TeacherInfo* named = assignment.add_teachers();
    named->set_name(name);
    named->set_address(teacher->second.address);
  }
  assignment.set_dataset_digest(job.dataset_digest);
  assignment.set_num_samples(job.num_samples);
  assignment.set_resume_step(job.resume_step);
  const GangReport& gang = reports_.Of(job);
  const auto first = gang.ranks.find(0);
  if (first != gang.ranks.end()) assignment.set_store_address(first->second.store_address());
  if (gang.told_to_stop) assignment.set_stop(STOP_AFTER_CHECKPOINT);
  for (const auto& [rank, status] : gang.ranks) {
    if (!status.waiting_for().empty()) assignment.set_gang_waits_for(status.waiting_for());
  }
  return assignment;
}

void CoordinatorCore::AddOrder(const JobInfo& job, const std::string& worker_id, HeartbeatReply* reply) {
  GangOrder* order = reply->add_gangs();
  *order->mutable_common() = CommonAssignment(job);
  for (int rank = 0; rank < static_cast<int>(job.placement.size()); ++rank) {
    if (job.placement[rank] == worker_id) order->add_ranks(rank);
  }
}

absl::Status CoordinatorCore::TeacherHeartbeat(const TeacherHeartbeatRequest& request) {
  absl::MutexLock lock(&mu_);
  const auto superseded = superseded_teachers_.find(request.name());
  if (superseded != superseded_teachers_.end() && superseded->second == request.incarnation()) {
    return Superseded(request.name());
  }
  const auto before = state_.teachers().find(request.name());
  const bool known = before != state_.teachers().end();
  const bool same = known && before->second.incarnation == request.incarnation() &&
                    before->second.address == request.address();
  if (!same) {
    const std::string old = known ? before->second.incarnation : request.incarnation();
    Event event;
    TeacherRegistered* registered = event.mutable_teacher_registered();
    registered->set_name(request.name());
    registered->set_incarnation(request.incarnation());
    registered->set_address(request.address());
    RETURN_IF_ERROR(Commit(event));
    if (old != request.incarnation()) superseded_teachers_[request.name()] = old;
  }
  const bool was_silent = Hear(request.name(), clock_->Now(), options_.lease, &liveness_.teacher_heard);
  if (was_silent || !same) DecideAndCommit();
  metrics_->HeartbeatAnswered();
  return absl::OkStatus();
}

absl::Status CoordinatorCore::ReportSteps(const ReportStepsRequest& request) {
  if (request.steps_size() > limits::kStepsPerReport || request.evaluations_size() > limits::kStepsPerReport) {
    return absl::InvalidArgumentError(absl::StrCat("steps: ", request.steps_size(), " and evaluations: ",
                                                   request.evaluations_size(), "; at most ", limits::kStepsPerReport));
  }
  {
    absl::MutexLock lock(&mu_);
    ASSIGN_OR_RETURN(const JobInfo* job, FindJob(request.job_id()));
    const absl::Status fence = CheckFence(*job, request.generation());
    if (!fence.ok()) {
      metrics_->Fenced();
      return fence;
    }
  }
  // The fence may close just now: the store itself lets no earlier generation replace a later one's numbers.
  std::vector<StepMetrics> steps(request.steps().begin(), request.steps().end());
  for (StepMetrics& step : steps) step.set_generation(request.generation());
  std::vector<EvaluationResult> evaluations(request.evaluations().begin(), request.evaluations().end());
  for (EvaluationResult& evaluation : evaluations) evaluation.set_generation(request.generation());
  if (!steps.empty()) RETURN_IF_ERROR(step_metrics_.PutSteps(request.job_id(), steps));
  if (!evaluations.empty()) RETURN_IF_ERROR(step_metrics_.PutEvaluations(request.job_id(), evaluations));

  absl::MutexLock lock(&mu_);
  const JobInfo& job = state_.jobs().at(request.job_id());
  if (!steps.empty()) {
    metrics_->StepsReported(request.job_id(), steps);
    reports_.HearStep(job, request.generation(), steps.back().step());
  }
  Touch(request.job_id());
  return absl::OkStatus();
}

absl::Status CoordinatorCore::AdmitChunk(const std::string& job_id, const std::string& content_id) {
  absl::MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const JobInfo* job, FindJob(job_id));
  if (!job->placement.empty()) {
    Uploads& uploads = uploads_[job_id];
    if (uploads.newest == content_id) return absl::OkStatus();
    uploads.newest = content_id;
    if (++uploads.begun % limits::kUncommittedUploads == 0) uploads_to_clean_.insert(job_id);
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(job_id, " has no gang: its last one, generation ", job->generation,
                                                    ", is fenced (", job->reason, ")"));
}

absl::Status CoordinatorCore::CheckCommit(const CheckpointManifest& manifest) const {
  Event event;
  *event.mutable_checkpoint_committed()->mutable_manifest() = manifest;
  absl::MutexLock lock(&mu_);
  return state_.Check(event);
}

absl::Status CoordinatorCore::CommitCheckpoint(const CheckpointManifest& manifest) {
  if (manifest.content_id().empty()) return absl::InvalidArgumentError("manifest.content_id: required");
  const absl::StatusOr<CheckpointManifest> before = checkpoints_.GetManifest(manifest.job_id(), manifest.step());
  if (before.ok() && before->content_id() == manifest.content_id()) return absl::OkStatus();
  const absl::Status legal = CheckCommit(manifest);
  if (absl::IsFailedPrecondition(legal)) metrics_->Fenced();
  RETURN_IF_ERROR(legal);
  ASSIGN_OR_RETURN(const WriteBatch batch, checkpoints_.CommitBatch(manifest));  // reads every chunk: without the lock

  Event event;
  CheckpointManifest* journalled = event.mutable_checkpoint_committed()->mutable_manifest();
  *journalled = manifest;
  journalled->clear_chunk_sha256();  // they stand in the manifest itself, in the same write
  absl::MutexLock lock(&mu_);
  RETURN_IF_ERROR(Commit(event, batch));
  DecideAndCommit();
  return absl::OkStatus();
}

}  // namespace mimeo
