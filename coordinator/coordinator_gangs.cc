// CoordinatorCore's face for workers and teachers.
#include <google/protobuf/util/time_util.h>
#include <spdlog/spdlog.h>

#include <deque>
#include <set>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "base/build_info.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "coordinator/coordinator.h"
#include "coordinator/teachers_to_pin.h"
#include "job/job_shape.h"

namespace mimeo {
namespace {

using google::protobuf::util::TimeUtil;

bool SameIdentity(const WorkerIdentity& a, const WorkerIdentity& b) {
  return a.SerializeAsString() == b.SerializeAsString();
}

Event EndedGang(const JobInfo& job, GangEnd end, const std::string& reason) {
  Event event;
  GangEnded* ended = event.mutable_gang_ended();
  ended->set_job_id(job.id);
  ended->set_generation(job.generation);
  ended->set_end(end);
  ended->set_reason(reason);
  return event;
}

// The agent came back and has no ranks. A failure, unless it said that it would leave or this coordinator is new
// itself: then power was lost, or somebody ended both.
Event LostGang(const JobInfo& job, const std::string& worker_id, bool counts) {
  const std::string reason = absl::StrCat(worker_id, " restarted: its ranks died with it");
  Event event = EndedGang(job, counts ? GANG_END_FAILED : GANG_END_REPLACED, reason);
  if (!counts) return event;
  GangEnded* ended = event.mutable_gang_ended();
  ended->set_status_code(static_cast<int>(absl::StatusCode::kAborted));
  WorkerFailure* failure = ended->add_failures();
  failure->set_worker_id(worker_id);
  failure->set_status_code(ended->status_code());
  failure->set_message("it restarted: its ranks died with it");
  return event;
}

std::string NewerIncarnation(absl::string_view name) {
  return absl::StrCat("a newer incarnation of ", ToText(name, limits::kNameBytes), " is registered");
}

// Of a worker: its agent ends.
absl::Status Superseded(absl::string_view worker_id) {
  return absl::FailedPreconditionError(NewerIncarnation(worker_id));
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
      const bool counts = scheduler_.WasHeard(worker.id()) && !scheduler_.IsLeaving(worker.id());
      for (const auto& [job_id, slots] : std::map<std::string, int>(state_.SlotsHeld(worker.id()))) {
        RETURN_IF_ERROR(Commit(LostGang(state_.jobs().at(job_id), worker.id(), counts)));
      }
      superseded_workers_[worker.id()] = old;
    }
    RETURN_IF_ERROR(Commit(event));
  }
  scheduler_.HearWorker(worker.id(), clock_->Now());
  DecideAndCommit();
  return absl::OkStatus();
}

absl::Status CoordinatorCore::LeaveCluster(const LeaveClusterRequest& request) {
  absl::MutexLock lock(&mu_);
  const std::string& id = request.worker_id();
  if (state_.workers().count(id) == 0) return absl::OkStatus();  // it has left
  RETURN_IF_ERROR(CheckIncarnation(id, request.incarnation()));
  scheduler_.HearWorker(id, clock_->Now(), true);
  EmptyWorker(id);
  HearRanks(id, request.ranks());
  for (const auto& [job_id, slots] : std::map<std::string, int>(state_.SlotsHeld(id))) {
    RETURN_IF_ERROR(
        Commit(EndedGang(state_.jobs().at(job_id), GANG_END_STOPPED, absl::StrCat("moves: ", id, " left"))));
  }
  Event event;
  event.mutable_worker_forgotten()->set_worker_id(id);
  event.mutable_worker_forgotten()->set_reason("it said goodbye");
  RETURN_IF_ERROR(Commit(event));
  DecideAndCommit();
  return absl::OkStatus();
}

absl::StatusOr<DrainWorkerReply> CoordinatorCore::DrainWorker(const DrainWorkerRequest& request) {
  absl::MutexLock lock(&mu_);
  Event event;
  event.mutable_worker_drained()->set_worker_id(request.worker_id());
  event.mutable_worker_drained()->set_drained(request.drained());
  RETURN_IF_ERROR(state_.Check(event));
  if (state_.IsDrained(request.worker_id()) != request.drained()) RETURN_IF_ERROR(Commit(event));
  if (request.drained()) EmptyWorker(request.worker_id());
  DecideAndCommit();
  DrainWorkerReply reply;
  *reply.mutable_worker() = DescribeWorker(request.worker_id());
  return reply;
}

void CoordinatorCore::EmptyWorker(const std::string& id) {
  for (const auto& [job_id, slots] : state_.SlotsHeld(id)) {
    GangReport& gang = reports_.Of(state_.jobs().at(job_id));
    gang.told_to_stop = true;
    gang.emptied.insert(id);
    if (scheduler_.IsLeaving(id)) gang.leaving.insert(id);
  }
}

void CoordinatorCore::MoveGangs() {
  for (Scheduler::Move& move : scheduler_.DecideMoves(clock_->Now())) {
    const JobInfo& job = state_.jobs().at(move.job_id);
    GangReport& gang = reports_.Of(job);
    gang.told_to_stop = true;
    gang.moves_from = std::move(move.from);
    spdlog::info("gang is told to move job={} generation={} because=\"{} {}\"", job.id, job.generation,
                 gang.moves_from.front().worker_id(), gang.moves_from.front().message());
    Touch(job.id);
  }
}

Worker CoordinatorCore::DescribeWorker(const std::string& id) const {
  const absl::Time now = clock_->Now();
  Worker described;
  described.mutable_identity()->set_id(id);
  described.set_drained(state_.IsDrained(id));
  const auto worker = state_.workers().find(id);
  if (worker == state_.workers().end()) return described;
  *described.mutable_identity() = worker->second.identity;
  described.set_slots_busy(state_.SlotsBusy(id));
  const absl::Duration silent = scheduler_.WorkerSilence(id, now);
  *described.mutable_silent_for() = TimeUtil::MillisecondsToDuration(absl::ToInt64Milliseconds(silent));
  described.set_lease_expired(silent > options_.lease);
  described.set_leaving(scheduler_.IsLeaving(id));
  described.set_offered(scheduler_.IsOffered(id, now));
  described.set_note(scheduler_.WorkerNote(id, now));
  described.set_blame(scheduler_.blame().Of(id, now));
  const Blame::Failure* const failure = scheduler_.blame().Newest(id);
  if (failure != nullptr && described.blame() > Blame::kForgotten) described.set_last_failure(failure->what.message());
  return described;
}

absl::Status CoordinatorCore::CheckIncarnation(const std::string& worker_id, const std::string& incarnation) const {
  const auto worker = state_.workers().find(worker_id);
  if (worker == state_.workers().end()) {
    return absl::NotFoundError(
        absl::StrCat("worker \"", ToText(worker_id, limits::kNameBytes), "\" is not registered"));
  }
  return worker->second.identity.incarnation() == incarnation ? absl::OkStatus() : Superseded(worker_id);
}

absl::StatusOr<HeartbeatReply> CoordinatorCore::Heartbeat(const HeartbeatRequest& request) {
  absl::MutexLock lock(&mu_);
  RETURN_IF_ERROR(CheckIncarnation(request.worker_id(), request.incarnation()));
  // It registered at a coordinator of before, whose journal this one replayed.
  const WorkerIdentity& identity = state_.workers().at(request.worker_id()).identity;
  RETURN_IF_ERROR(CheckProtocol("worker", identity.id(), identity.build()));
  const int64_t events_before = journal_.size();
  const bool news = scheduler_.HearWorker(request.worker_id(), clock_->Now(), request.leaving());
  if (scheduler_.MustEmpty(request.worker_id())) EmptyWorker(request.worker_id());
  HearRanks(request.worker_id(), request.ranks());
  if (news || journal_.size() != events_before) DecideAndCommit();

  HeartbeatReply reply;
  log_wishes_.Fill(request.worker_id(), &reply);  // first: the orders keep to what is left of the message
  WriteOrders(request.worker_id(), &reply);
  metrics_->HeartbeatAnswered();
  return reply;
}

void CoordinatorCore::HearRanks(const std::string& worker_id,
                                const google::protobuf::RepeatedPtrField<RankStatus>& ranks) {
  const absl::Time now = clock_->Now();
  std::set<std::string> news;
  for (const RankStatus& status : ranks) {
    const auto job = state_.jobs().find(status.job_id());
    if (job == state_.jobs().end()) continue;
    if (reports_.Hear(job->second, worker_id, status, now)) news.insert(status.job_id());
  }
  for (const std::string& job_id : news) {
    const JobInfo& job = state_.jobs().at(job_id);
    Touch(job_id);
    metrics_->JobStep(job_id, reports_.Of(job).step);
  }
  // Not only for the news: what could not be journalled the last time is tried again.
  for (const auto& [job_id, slots] : std::map<std::string, int>(state_.SlotsHeld(worker_id))) {
    const JobInfo& job = state_.jobs().at(job_id);
    if (job.want == WANT_PAUSE) reports_.Of(job).told_to_stop = true;
    // Before the gang's end: the ranks that end it may be the ones that met the teacher.
    for (const Event& pin : TeachersToPin(job, reports_.Of(job))) {
      if (!Commit(pin).ok()) break;
    }
    for (std::vector<Event> events = EventsOf(job, reports_.Of(job), now); !events.empty();
         events = EventsOf(job, reports_.Of(job), now)) {
      if (!Commit(events.front()).ok()) break;
    }
    scheduler_.HearDataWait(job, DataWaitOf(job, reports_.Of(job)));
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
  for (const auto& [name, contract] : job.teachers) *assignment.add_pinned_teachers() = contract;
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

void CoordinatorCore::WriteOrders(const std::string& worker_id, HeartbeatReply* reply) {
  const auto is_large = [](const JobInfo& job) {
    return static_cast<int64_t>(job.spec.ByteSizeLong()) > limits::kSpecBytes;
  };
  std::vector<const JobInfo*> large;
  for (const auto& [job_id, slots] : state_.SlotsHeld(worker_id)) {
    const JobInfo& job = state_.jobs().at(job_id);
    if (is_large(job))
      large.push_back(&job);
    else
      AddOrder(job, worker_id, reply);
  }
  // An earlier version took specs of any size. Those that do not fit beside the others end, or no order would ever
  // arrive here.
  for (const JobInfo* job : large) {
    AddOrder(*job, worker_id, reply);
    if (static_cast<int64_t>(reply->ByteSizeLong()) <= limits::kMessageBytes) continue;
    reply->mutable_gangs()->RemoveLast();
    Event event;
    GangEnded* ended = event.mutable_gang_ended();
    ended->set_job_id(job->id);
    ended->set_generation(job->generation);
    ended->set_end(GANG_END_FAILED);
    ended->set_permanent(true);
    ended->set_status_code(static_cast<int>(absl::StatusCode::kInvalidArgument));
    ended->set_reason(absl::StrCat("spec: ", job->spec.ByteSizeLong(), " bytes; at most ", limits::kSpecBytes,
                                   ", and the orders of ", worker_id, " do not fit into a message"));
    const absl::Status committed = Commit(event);
    if (!committed.ok()) {
      spdlog::error("order left out job={} worker={} error=\"{}\"", job->id, worker_id, committed.ToString());
    }
  }
}

absl::Status CoordinatorCore::TeacherHeartbeat(const TeacherHeartbeatRequest& request) {
  absl::MutexLock lock(&mu_);
  const auto superseded = superseded_teachers_.find(request.name());
  if (superseded != superseded_teachers_.end() && superseded->second == request.incarnation()) {
    return absl::AlreadyExistsError(NewerIncarnation(request.name()));  // it serves on those that know it
  }
  const auto before = state_.teachers().find(request.name());
  const bool known = before != state_.teachers().end();
  const bool same =
      known && before->second.incarnation == request.incarnation() && before->second.address == request.address();
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
  const bool news = scheduler_.HearTeacher(request.name(), clock_->Now());
  if (news || !same) DecideAndCommit();
  metrics_->HeartbeatAnswered();
  return absl::OkStatus();
}

absl::Status CoordinatorCore::ReportSteps(const ReportStepsRequest& request) {
  if (request.steps_size() > limits::kStepsPerReport || request.evaluations_size() > limits::kStepsPerReport) {
    return absl::InvalidArgumentError(absl::StrCat("steps: ", request.steps_size(), " and evaluations: ",
                                                   request.evaluations_size(), "; at most ", limits::kStepsPerReport));
  }
  absl::ReaderMutexLock writes(&writes_mu_);
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

absl::Status CoordinatorCore::PutChunk(const ChunkKey& key, absl::string_view sha256, absl::string_view bytes) {
  absl::ReaderMutexLock writes(&writes_mu_);
  RETURN_IF_ERROR(AdmitChunk(key.job_id, {key.step, key.content_id}));
  return checkpoints_.PutChunk(key, sha256, bytes);
}

absl::Status CoordinatorCore::AdmitChunk(const std::string& job_id, const Upload& upload) {
  absl::MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const JobInfo* job, FindJob(job_id));
  if (!job->placement.empty()) {
    std::deque<Upload>& uploads = uploads_[job_id];
    if (absl::c_linear_search(uploads, upload)) return absl::OkStatus();
    uploads.push_back(upload);
    if (static_cast<int64_t>(uploads.size()) <= limits::kUncommittedUploads) return absl::OkStatus();
    uploads.pop_front();
    uploads_to_clean_.insert(job_id);
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
  {
    absl::MutexLock lock(&mu_);
    RETURN_IF_ERROR(FindJob(manifest.job_id()).status());
  }
  const absl::StatusOr<CheckpointManifest> before = checkpoints_.GetManifest(manifest.job_id(), manifest.step());
  if (before.ok() && before->content_id() == manifest.content_id()) return absl::OkStatus();
  const absl::Status legal = CheckCommit(manifest);
  if (absl::IsFailedPrecondition(legal)) metrics_->Fenced();
  RETURN_IF_ERROR(legal);
  absl::ReaderMutexLock committing(&commits_mu_);
  ASSIGN_OR_RETURN(const WriteBatch batch, checkpoints_.CommitBatch(manifest));  // reads every chunk: without mu_

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
