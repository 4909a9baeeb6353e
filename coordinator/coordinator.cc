#include "coordinator/coordinator.h"

#include <google/protobuf/text_format.h>
#include <google/protobuf/util/time_util.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "coordinator/page.h"
#include "job/job_spec.h"

namespace mimeo {
namespace {

using google::protobuf::util::TimeUtil;

constexpr int kRoundsMax = 16;    // of decisions that follow from each other; two or three are usual

google::protobuf::Duration ToProto(absl::Duration duration) {
  return TimeUtil::MillisecondsToDuration(absl::ToInt64Milliseconds(duration));
}

// What an event changes, in a word and a number or two, for the log. Names of files stay readable in every script.
std::string Line(const Event& event) {
  google::protobuf::TextFormat::Printer printer;
  printer.SetSingleLineMode(true);
  printer.SetUseUtf8StringEscaping(true);
  std::string text;
  printer.PrintToString(event, &text);
  constexpr size_t kLineBytes = 600;  // a submitted spec would fill a screen
  return ToText(absl::StripTrailingAsciiWhitespace(text), kLineBytes);
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
  liveness_ = Liveness();
  liveness_.since = clock_->Now();
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
  }
  const bool becomes_final = event.has_job_finished() || event.has_gang_ended();
  if (!becomes_final || !IsFinal(job.state)) return;
  metrics_->JobEnded(job_id);
  logged_reasons_.erase(job_id);
  uploads_.erase(job_id);
  uploads_to_clean_.insert(job_id);
}

void CoordinatorCore::DecideAndCommit() {
  for (int round = 0; round < kRoundsMax; ++round) {
    const Decision decision = Decide(state_, liveness_, clock_->Now(), options_);
    for (const auto& [job, reason] : decision.reasons) {
      std::string& logged = logged_reasons_[job];
      if (logged == reason) continue;
      logged = reason;
      spdlog::info("decision job={} reason=\"{}\"", job, reason);
    }
    for (const Event& event : decision.events) {
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
    }
    if (decision.events.empty()) break;
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
  for (int state = JOB_STATE_PENDING; state <= JOB_STATE_CANCELLED; ++state) {
    counts.jobs[StateName(static_cast<JobState>(state))] = 0;
  }
  for (const auto& [id, job] : state_.jobs()) ++counts.jobs[StateName(job.state)];
  const absl::Time now = clock_->Now();
  for (const auto& [id, worker] : state_.workers()) {
    counts.slots += worker.identity.slots();
    counts.slots_busy += state_.SlotsBusy(id);
    counts.workers_silent += SilentFor(liveness_.worker_heard, id, liveness_.since, now) > options_.lease;
  }
  counts.workers = static_cast<int>(state_.workers().size());
  counts.teachers = static_cast<int>(state_.teachers().size());
  metrics_->State(counts);
}

absl::StatusOr<const JobInfo*> CoordinatorCore::FindJob(const std::string& job_id) const {
  const auto found = state_.jobs().find(job_id);
  if (found != state_.jobs().end()) return &found->second;
  return absl::NotFoundError(absl::StrCat("no job \"", ToText(job_id, limits::kNameBytes), "\""));
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
  const auto unfinished =
      absl::c_count_if(state_.jobs(), [](const auto& entry) { return !IsFinal(entry.second.state); });
  if (unfinished >= limits::kUnfinishedJobs) {
    return absl::ResourceExhaustedError(absl::StrCat(unfinished, " jobs are unfinished, the most there may be"));
  }
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

absl::StatusOr<Job> CoordinatorCore::Control(const std::string& job_id, Want want) {
  absl::MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const JobInfo* job, FindJob(job_id));
  const bool cancelled_already = want == WANT_CANCEL && job->state == JOB_STATE_CANCELLED;
  if (cancelled_already || (job->want == want && !IsFinal(job->state))) return Describe(*job);
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
  for (std::string& reason : Explain(state_, liveness_, clock_->Now(), options_, job_id)) {
    reply.add_reasons(std::move(reason));
  }
  const GangReport* gang = reports_.Find(*job);
  if (gang == nullptr) return reply;
  for (const auto& [rank, status] : gang->ranks) {
    if (status.waiting_for().empty()) continue;
    reply.add_reasons(absl::StrCat("rank ", rank, " stands still at step ", status.step(), ": waits for ",
                                   status.waiting_for()));
  }
  return reply;
}

absl::StatusOr<ListWorkersReply> CoordinatorCore::ListWorkers(const ListWorkersRequest& request) const {
  ASSIGN_OR_RETURN(Page page, Page::Open("workers", request.page_size(), request.page_token()));
  absl::MutexLock lock(&mu_);
  ListWorkersReply reply;
  const absl::Time now = clock_->Now();
  for (auto it = state_.workers().upper_bound(page.after()); it != state_.workers().end(); ++it) {
    const auto& [id, worker] = *it;
    const absl::Duration silent = SilentFor(liveness_.worker_heard, id, liveness_.since, now);
    Worker listed;
    *listed.mutable_identity() = worker.identity;
    listed.set_slots_busy(state_.SlotsBusy(id));
    *listed.mutable_silent_for() = ToProto(silent);
    listed.set_lease_expired(silent > options_.lease);
    if (!page.Takes(id, static_cast<int64_t>(listed.ByteSizeLong()))) break;
    *reply.add_workers() = std::move(listed);
  }
  reply.set_next_page_token(page.next_page_token());
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
