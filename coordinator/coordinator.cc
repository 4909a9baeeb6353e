#include "coordinator/coordinator.h"

#include <google/protobuf/util/time_util.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "job/job_spec.h"

namespace mimeo {
namespace {

using google::protobuf::util::TimeUtil;

constexpr size_t kEventsAtOnce = 256;  // decided and committed before others get the lock
constexpr int kJobsListed = 1000;

google::protobuf::Duration ToProto(absl::Duration duration) {
  return TimeUtil::MillisecondsToDuration(absl::ToInt64Milliseconds(duration));
}

// What an event changes, in a word and a number or two, for the log.
std::string Line(const Event& event) {
  std::string text = event.ShortDebugString();
  constexpr size_t kLineBytes = 600;  // a submitted spec would fill a screen
  if (text.size() > kLineBytes) text = absl::StrCat(text.substr(0, kLineBytes), " ...");
  return text;
}

// The job that an event is about; empty when it is about none.
std::string JobOf(const Event& event) {
  switch (event.kind_case()) {
    case Event::kJobSubmitted: return event.job_submitted().job_id();
    case Event::kJobControlled: return event.job_controlled().job_id();
    case Event::kGangPlaced: return event.gang_placed().job_id();
    case Event::kGangEnded: return event.gang_ended().job_id();
    case Event::kDatasetPinned: return event.dataset_pinned().job_id();
    case Event::kCheckpointCommitted: return event.checkpoint_committed().manifest().job_id();
    case Event::kCheckpointDeleted: return event.checkpoint_deleted().job_id();
    case Event::kJobFinished: return event.job_finished().job_id();
    case Event::kJobPaused: return event.job_paused().job_id();
    case Event::kTeacherPinned: return event.teacher_pinned().job_id();
    default: return "";
  }
}

}  // namespace

absl::Status CoordinatorCore::Recover() {
  absl::MutexLock lock(&mu_);
  int64_t number = 0;
  RETURN_IF_ERROR(journal_.Replay([&](const Event& event) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    const absl::Status legal = state_.Check(event);
    if (!legal.ok()) {
      return absl::DataLossError(
          absl::StrCat("journal entry ", number, " contradicts those before it: ", legal.message()));
    }
    Event current = event;
    if (current.has_job_submitted()) {
      *current.mutable_job_submitted()->mutable_spec() = InThisVersion(event.job_submitted().spec());
    }
    state_.Apply(current);
    ++number;
    return absl::OkStatus();
  }));
  scheduler_.Begin(clock_->Now());
  spdlog::info("recovered events={} jobs={} workers={}", number, state_.jobs().size(), state_.workers().size());
  CountState();
  return absl::OkStatus();
}

absl::Status CoordinatorCore::Commit(Event event, const WriteBatch& extra) {
  const absl::Time begin = clock_->Now();
  *event.mutable_time() = TimeUtil::MillisecondsToTimestamp(absl::ToUnixMillis(clock_->Wall()));
  RETURN_IF_ERROR(state_.Check(event));
  const absl::Status written = journal_.Append(event, extra);
  if (!written.ok()) {
    metrics_->StoreFailed();
    spdlog::error("event not journalled error=\"{}\" event={{{}}}", written.ToString(), Line(event));
    return written;
  }
  state_.Apply(event);
  bool progressed = false;
  if (event.has_gang_ended()) {
    const JobInfo& job = state_.jobs().at(event.gang_ended().job_id());
    progressed = reports_.Of(job).Progressed(job);
  }
  scheduler_.Applied(event, clock_->Now(), progressed);
  metrics_->Committed(clock_->Now() - begin, journal_.size());
  Notice(event);
  return absl::OkStatus();
}

void CoordinatorCore::Notice(const Event& event) {
  spdlog::info("event {{{}}}", Line(event));
  const std::string job_id = JobOf(event);
  if (job_id.empty()) return;
  Touch(job_id);
  const JobInfo& job = state_.jobs().at(job_id);
  if (event.has_gang_placed()) {
    metrics_->GangPlaced();
  } else if (event.has_gang_ended()) {
    GangReport& gang = reports_.Of(job);
    gang.ranks.clear();
    const GangEnd end = event.gang_ended().end();
    if (end == GANG_END_FAILED || end == GANG_END_REPLACED) metrics_->GangFailed();
  } else if (event.has_checkpoint_committed()) {
    metrics_->CheckpointCommitted();
    reports_.HearStep(job, job.generation, event.checkpoint_committed().manifest().step());
  } else if (event.has_job_controlled()) {
    // It may have failed before, and have been taken for ended.
    metrics_->JobGoesOn(job_id);
    uploads_to_clean_.erase(job_id);
  }
  const bool becomes_final = event.has_job_finished() || event.has_gang_ended();
  if (!becomes_final || !IsFinal(job.state)) return;
  metrics_->JobEnded(job_id);
  uploads_.erase(job_id);
  uploads_to_clean_.insert(job_id);
}

void CoordinatorCore::DecideAndCommit() {
  for (size_t committed = 0; committed < kEventsAtOnce;) {
    const std::vector<Event> events = scheduler_.Decide(clock_->Now());
    if (events.empty()) break;
    for (const Event& event : events) {
      WriteBatch extra;
      if (event.has_checkpoint_deleted()) {
        const CheckpointDeleted& deleted = event.checkpoint_deleted();
        absl::StatusOr<WriteBatch> batch = checkpoints_.DeleteBatch(deleted.job_id(), deleted.step());
        if (batch.ok()) {
          extra = *std::move(batch);
        } else {
          spdlog::error("checkpoint's bytes not deleted job={} step={} error=\"{}\"", deleted.job_id(),
                        deleted.step(), batch.status().ToString());
        }
      }
      // A full disk, say: what was decided is decided again, at the latest by the next tick.
      if (!Commit(event, extra).ok()) return;
      ++committed;
    }
  }
  CountState();
}

void CoordinatorCore::Tick() {
  {
    absl::MutexLock lock(&mu_);
    DecideAndCommit();
  }
  CleanUploads();
  const absl::StatusOr<int64_t> bytes = store_->ApproximateBytes();
  if (bytes.ok()) metrics_->StoreBytes(*bytes);
}

void CoordinatorCore::CleanUploads() {
  std::map<std::string, int64_t> keep;
  {
    absl::MutexLock lock(&mu_);
    for (const std::string& id : uploads_to_clean_) {
      keep[id] = IsFinal(state_.jobs().at(id).state) ? 0 : limits::kUncommittedUploads;
    }
    uploads_to_clean_.clear();
  }
  for (const auto& [job, newest] : keep) {
    const absl::Status cleaned = checkpoints_.DeleteUncommitted(job, newest);
    if (!cleaned.ok()) spdlog::warn("uncommitted chunks stay job={} error=\"{}\"", job, cleaned.ToString());
  }
}

void CoordinatorCore::Close() {
  absl::MutexLock lock(&mu_);
  closed_ = true;
}

void CoordinatorCore::CountState() {
  CoordinatorMetrics::Counts counts;
  for (int i = JOB_STATE_PENDING; i <= JOB_STATE_CANCELLED; ++i) {
    const auto state = static_cast<JobState>(i);
    counts.jobs[StateName(state)] = state_.NumJobs(state);
  }
  counts.slots = state_.num_slots();
  counts.slots_busy = state_.num_slots_busy();
  counts.workers_silent = scheduler_.num_silent();
  counts.workers = static_cast<int>(state_.workers().size());
  counts.teachers = static_cast<int>(state_.teachers().size());
  metrics_->State(counts);
}

absl::StatusOr<const JobInfo*> CoordinatorCore::FindJob(const std::string& job_id) const {
  const auto found = state_.jobs().find(job_id);
  if (found != state_.jobs().end()) return &found->second;
  return absl::NotFoundError(absl::StrCat("no job \"", job_id.substr(0, limits::kNameBytes), "\""));
}

Job CoordinatorCore::Describe(const JobInfo& job) const {
  Job described;
  described.set_id(job.id);
  *described.mutable_spec() = job.spec;
  described.set_state(job.state);
  described.set_want(job.want);
  described.set_reason(job.reason);
  described.set_generation(job.generation);
  for (const std::string& worker : job.placement) described.add_worker_ids(worker);
  described.set_total_steps(job.total_steps);
  described.set_checkpoint_step(job.checkpoint_steps.empty() ? 0 : job.checkpoint_steps.back());
  described.set_step(described.checkpoint_step());
  *described.mutable_submitted() = TimeUtil::MillisecondsToTimestamp(job.submitted_unix_ms);
  if (job.state == JOB_STATE_FAILED || job.paused_itself) described.set_status_code(job.status_code);
  const GangReport* gang = reports_.Find(job);
  if (gang == nullptr) return described;
  described.set_step(std::max(gang->step, described.checkpoint_step()));
  for (const auto& [rank, status] : gang->ranks) *described.add_ranks() = status;
  return described;
}

absl::Status CoordinatorCore::CheckRoom() const {
  const int unfinished = state_.NumUnfinished();
  if (unfinished < limits::kUnfinishedJobs) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(unfinished, " jobs are unfinished, the most there may be"));
}

absl::StatusOr<std::string> CoordinatorCore::Submit(const SubmitRequest& request) {
  if (request.request_id().empty()) return absl::InvalidArgumentError("request_id: required");
  {
    absl::MutexLock lock(&mu_);
    const auto before = state_.requests().find(request.request_id());
    if (before != state_.requests().end()) return before->second;
  }
  ASSIGN_OR_RETURN(const JobSpec spec, ResolveJobSpec(request.spec()));
  absl::MutexLock lock(&mu_);
  const auto before = state_.requests().find(request.request_id());
  if (before != state_.requests().end()) return before->second;
  RETURN_IF_ERROR(CheckRoom());
  Event event;
  JobSubmitted* submitted = event.mutable_job_submitted();
  submitted->set_job_id(state_.NextJobId());
  *submitted->mutable_spec() = spec;
  submitted->set_request_id(request.request_id());
  const std::string job_id = submitted->job_id();
  RETURN_IF_ERROR(Commit(event));
  DecideAndCommit();
  return job_id;
}

absl::StatusOr<Job> CoordinatorCore::GetJob(const std::string& job_id) const {
  absl::MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const JobInfo* job, FindJob(job_id));
  return Describe(*job);
}

std::vector<Job> CoordinatorCore::ListJobs() const {
  absl::MutexLock lock(&mu_);
  std::vector<const JobInfo*> order;
  for (const auto& [id, job] : state_.jobs()) order.push_back(&job);
  absl::c_sort(order, [](const JobInfo* a, const JobInfo* b) { return a->sequence > b->sequence; });
  if (order.size() > kJobsListed) order.resize(kJobsListed);
  std::vector<Job> jobs;
  for (const JobInfo* job : order) jobs.push_back(Describe(*job));
  return jobs;
}

absl::StatusOr<Job> CoordinatorCore::Control(const std::string& job_id, Want want) {
  absl::MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const JobInfo* job, FindJob(job_id));
  const bool cancelled_already = want == WANT_CANCEL && job->state == JOB_STATE_CANCELLED;
  // Who resumes a job in its back-off has mended something: what failed is forgiven, and it goes on at once.
  const bool forgives = want == WANT_RUN && job->failures_in_a_row > 0 && job->placement.empty();
  if (cancelled_already || (job->want == want && !IsFinal(job->state) && !forgives)) return Describe(*job);
  if (want == WANT_RUN && job->state == JOB_STATE_FAILED) RETURN_IF_ERROR(CheckRoom());
  Event event;
  event.mutable_job_controlled()->set_job_id(job_id);
  event.mutable_job_controlled()->set_want(want);
  RETURN_IF_ERROR(Commit(event));
  // Sticky from here on: of ranks that were told to stop none may go on, though a person resumes the job meanwhile.
  if (want == WANT_PAUSE && !job->placement.empty()) reports_.Of(*job).told_to_stop = true;
  DecideAndCommit();
  return Describe(*job);
}

absl::StatusOr<ExplainReply> CoordinatorCore::ExplainJob(const std::string& job_id) const {
  absl::MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const JobInfo* job, FindJob(job_id));
  ExplainReply reply;
  reply.set_state(job->state);
  for (std::string& reason : scheduler_.Explain(job_id, clock_->Now())) reply.add_reasons(std::move(reason));
  const GangReport* gang = reports_.Find(*job);
  if (gang == nullptr) return reply;
  for (std::string& reason : RankReasons(*gang)) reply.add_reasons(std::move(reason));
  return reply;
}

ListWorkersReply CoordinatorCore::ListWorkers() const {
  absl::MutexLock lock(&mu_);
  ListWorkersReply reply;
  for (const auto& [id, worker] : state_.workers()) {
    *reply.add_workers() = DescribeWorker(id);
  }
  return reply;
}

ListTeachersReply CoordinatorCore::ListTeachers() const {
  absl::MutexLock lock(&mu_);
  ListTeachersReply reply;
  for (const auto& [name, teacher] : state_.teachers()) {
    TeacherInfo* listed = reply.add_teachers();
    listed->set_name(name);
    listed->set_address(teacher.address);
    *listed->mutable_silent_for() =
        ToProto(scheduler_.TeacherSilence(name, clock_->Now()));
  }
  return reply;
}

absl::StatusOr<CoordinatorCore::Sighting> CoordinatorCore::AwaitJob(const std::string& job_id, int64_t seen,
                                                                    absl::Time deadline) const {
  absl::MutexLock lock(&mu_);
  RETURN_IF_ERROR(FindJob(job_id).status());
  const auto version = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    const auto found = versions_.find(job_id);
    return found == versions_.end() ? int64_t{1} : found->second + 1;
  };
  const auto ready = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return closed_ || version() != seen; };
  clock_->Await(&mu_, absl::Condition(&ready), deadline);
  if (closed_) return absl::UnavailableError("the coordinator shuts down");
  return Sighting{Describe(state_.jobs().at(job_id)), version()};
}

std::string CoordinatorCore::StateForTest() const {
  absl::MutexLock lock(&mu_);
  return state_.DebugString();
}

}  // namespace mimeo
