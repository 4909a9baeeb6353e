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
#include "coordinator/event_job.h"
#include "coordinator/extend_job.h"
#include "coordinator/page.h"
#include "coordinator/replay.h"
#include "job/job_spec.h"
#include "job/job_state.h"
#include "store/job_bytes.h"

namespace mimeo {
namespace {

using google::protobuf::util::TimeUtil;

constexpr size_t kEventsAtOnce = 256;  // decided and committed before others get the lock

absl::StatusOr<JournalCut> CutStored(Journal* journal) {
  ClusterState state;
  RETURN_IF_ERROR(ReplayInto(journal, &state));
  std::vector<std::string> records;
  bool readable = true;
  state.Snapshot([&](const SnapshotRecord& record) {
    records.push_back(record.SerializeAsString());
    readable = readable && SnapshotRecord().ParseFromString(records.back());
  });
  if (!readable) return absl::InternalError("a record of the snapshot would not be read back");
  return journal->Cut(std::move(records));
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

}  // namespace

absl::Status CoordinatorCore::Recover() {
  absl::MutexLock lock(&mu_);
  RETURN_IF_ERROR(ReplayInto(&journal_, &state_));
  ASSIGN_OR_RETURN(const std::vector<std::string> deleted, UnfinishedRemovals(*store_));
  deleted_.insert(deleted.begin(), deleted.end());
  scheduler_.Begin(clock_->Now());
  spdlog::info("recovered events={} in_snapshot={} jobs={} workers={}", journal_.size(), journal_.num_in_snapshot(),
               state_.jobs().size(), state_.workers().size());
  CountState();
  return absl::OkStatus();
}

void CoordinatorCore::CutJournal() {
  // From what the store holds, and not from state_: nobody has to wait, and a journal that cannot be read is noticed
  // while everything that it should hold is still known.
  Journal stored(store_);
  const absl::StatusOr<JournalCut> cut = CutStored(&stored);
  absl::MutexLock lock(&mu_);
  if (cut.ok()) {
    journal_.NoteCut(*cut);
    spdlog::info("journal cut events={} in_snapshot={}", journal_.size(), cut->entries);
    return;
  }
  journal_.NoteFailedCut();
  metrics_->StoreFailed();
  spdlog::warn("journal not cut events={} error=\"{}\"", journal_.size(), cut.status().ToString());
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
  bool advanced = false;
  if (event.has_gang_ended()) {
    const JobInfo& job = state_.jobs().at(event.gang_ended().job_id());
    advanced = reports_.Of(job).Advanced(job);
  }
  scheduler_.Applied(event, clock_->Now(), advanced);
  metrics_->Committed(clock_->Now() - begin, journal_.size());
  Notice(event);
  return absl::OkStatus();
}

void CoordinatorCore::Notice(const Event& event) {
  spdlog::info("event {{{}}}", Line(event));
  const std::string job_id = JobOf(event);
  if (job_id.empty()) return;
  if (event.has_job_deleted()) return ForgetJob(job_id);
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
    const CheckpointManifest& manifest = event.checkpoint_committed().manifest();
    std::deque<Upload>& uploads = uploads_[job_id];
    const Upload committed = {manifest.step(), manifest.content_id()};
    uploads.erase(std::remove(uploads.begin(), uploads.end(), committed), uploads.end());
    reports_.HearStep(job, job.generation, manifest.step());
  } else if (event.has_job_controlled() || event.has_job_extended()) {
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

void CoordinatorCore::ForgetJob(const std::string& job_id) {
  metrics_->JobDeleted(job_id);
  versions_.erase(job_id);
  reports_.Forget(job_id);
  uploads_.erase(job_id);
  uploads_to_clean_.erase(job_id);
  deleted_.insert(job_id);
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
          spdlog::error("checkpoint's bytes not deleted job={} step={} error=\"{}\"", deleted.job_id(), deleted.step(),
                        batch.status().ToString());
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
  bool is_long = false;
  {
    absl::MutexLock lock(&mu_);
    DecideAndCommit();
    MoveGangs();
    is_long = journal_.IsLong();
  }
  if (is_long) CutJournal();
  CleanUploads();
  RemoveDeleted();
  const absl::StatusOr<int64_t> bytes = store_->ApproximateBytes();
  if (bytes.ok()) metrics_->StoreBytes(*bytes);
}

void CoordinatorCore::CleanUploads() {
  if (!commits_mu_.TryLock()) return;
  std::set<std::string> jobs;
  {
    absl::MutexLock lock(&mu_);
    jobs.swap(uploads_to_clean_);
  }
  for (const std::string& job : jobs) {
    const absl::Status cleaned = CleanUploadsOf(job);
    if (!cleaned.ok()) spdlog::warn("uncommitted chunks stay job={} error=\"{}\"", job, cleaned.ToString());
  }
  commits_mu_.Unlock();
}

absl::Status CoordinatorCore::CleanUploadsOf(const std::string& job_id) {
  // Listed first: an upload that begins now is not among them.
  ASSIGN_OR_RETURN(const std::vector<Upload> uncommitted, checkpoints_.ListUncommitted(job_id));
  std::deque<Upload> newest;
  {
    absl::MutexLock lock(&mu_);
    const auto found = uploads_.find(job_id);
    if (found != uploads_.end()) newest = found->second;
  }
  for (const Upload& upload : uncommitted) {
    if (absl::c_linear_search(newest, upload)) continue;
    RETURN_IF_ERROR(checkpoints_.DeleteUpload(job_id, upload));
  }
  return absl::OkStatus();
}

void CoordinatorCore::RemoveDeleted() {
  std::set<std::string> jobs;
  {
    absl::MutexLock lock(&mu_);
    jobs.swap(deleted_);
  }
  for (const std::string& job : jobs) {
    const absl::Status removed = RemoveJob(store_, job);
    if (removed.ok()) continue;
    spdlog::warn("bytes of a deleted job stay for now job={} error=\"{}\"", job, removed.ToString());
    absl::MutexLock lock(&mu_);
    deleted_.insert(job);
  }
}

void CoordinatorCore::Close() {
  log_wishes_.Close();
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
  return absl::NotFoundError(absl::StrCat("no job \"", ToText(job_id, limits::kNameBytes), "\""));
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
  submitted->set_owner(ToText(request.owner(), limits::kNameBytes));
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

absl::StatusOr<Job> CoordinatorCore::Control(const std::string& job_id, Want want, const std::string& user) {
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
  event.mutable_job_controlled()->set_user(ToText(user, limits::kNameBytes));
  RETURN_IF_ERROR(Commit(event));
  // Sticky from here on: of ranks that were told to stop none may go on, though a person resumes the job meanwhile.
  if (want == WANT_PAUSE && !job->placement.empty()) reports_.Of(*job).told_to_stop = true;
  DecideAndCommit();
  return Describe(*job);
}

absl::StatusOr<Job> CoordinatorCore::ExtendJob(const ExtendJobRequest& request) {
  {
    absl::MutexLock lock(&mu_);
    RETURN_IF_ERROR(FindJob(request.job_id()).status());
  }
  ASSIGN_OR_RETURN(const JobSpec spec, ResolveJobSpec(request.spec()));
  absl::MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const JobInfo* job, FindJob(request.job_id()));
  // The answer to an earlier call was lost.
  if (!IsFinal(job->state) && job->spec.SerializeAsString() == spec.SerializeAsString()) return Describe(*job);
  ASSIGN_OR_RETURN(const Event event, ExtensionOf(*job, spec, request.user()));
  RETURN_IF_ERROR(state_.Check(event));
  RETURN_IF_ERROR(CheckRoom());
  RETURN_IF_ERROR(Commit(event));
  DecideAndCommit();
  return Describe(*job);
}

absl::StatusOr<DeleteJobReply> CoordinatorCore::DeleteJob(const std::string& job_id) {
  Event event;
  event.mutable_job_deleted()->set_job_id(job_id);
  std::vector<int64_t> steps;
  {
    absl::MutexLock lock(&mu_);
    ASSIGN_OR_RETURN(const JobInfo* job, FindJob(job_id));
    RETURN_IF_ERROR(state_.Check(event));
    steps = job->checkpoint_steps;
  }
  DeleteJobReply reply;
  for (const int64_t step : steps) {  // without the lock: there may be many, and long ones
    const absl::StatusOr<CheckpointManifest> manifest = checkpoints_.GetManifest(job_id, step);
    if (manifest.ok()) reply.set_checkpoint_bytes(reply.checkpoint_bytes() + manifest->total_bytes());
  }
  {
    absl::MutexLock writes(&writes_mu_);
    absl::MutexLock lock(&mu_);
    RETURN_IF_ERROR(Commit(event, BeginRemoval(checkpoints_, job_id, steps.empty() ? 0 : steps.back())));
    CountState();
  }
  RemoveDeleted();
  return reply;
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

absl::StatusOr<ListWorkersReply> CoordinatorCore::ListWorkers(const ListWorkersRequest& request) const {
  ASSIGN_OR_RETURN(Page page, Page::Open("workers", request.page_size(), request.page_token()));
  absl::MutexLock lock(&mu_);
  ListWorkersReply reply;
  for (auto it = state_.workers().upper_bound(page.after()); it != state_.workers().end(); ++it) {
    Worker listed = DescribeWorker(it->first);
    if (!page.Takes(it->first, static_cast<int64_t>(listed.ByteSizeLong()))) break;
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
  const auto ready = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return closed_ || version() != seen || state_.jobs().count(job_id) == 0;
  };
  clock_->Await(&mu_, absl::Condition(&ready), deadline);
  if (closed_) return absl::UnavailableError("the coordinator shuts down");
  ASSIGN_OR_RETURN(const JobInfo* job, FindJob(job_id));
  return Sighting{Describe(*job), version()};
}

std::string CoordinatorCore::StateForTest() const {
  absl::MutexLock lock(&mu_);
  return state_.DebugString();
}

}  // namespace mimeo
