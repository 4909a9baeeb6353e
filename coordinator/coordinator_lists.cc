// What CoordinatorCore tells of jobs, teachers and checkpoints. Every reply fits into a message
// (coordinator/message_sizes_test.cc).
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "coordinator/coordinator.h"
#include "coordinator/page.h"

namespace mimeo {
namespace {

using google::protobuf::util::TimeUtil;

// `text` in what is left of `budget`, which it uses up.
std::string Within(const std::string& text, int64_t* budget) {
  constexpr int64_t kLeast = 8;  // of ToLines
  const int64_t bytes = std::min<int64_t>(*budget, limits::kShortReasonBytes);
  if (bytes < kLeast) return "";
  std::string cut = ToLines(text, static_cast<size_t>(bytes));
  *budget -= static_cast<int64_t>(cut.size());
  return cut;
}

// As a person reads it. `budget`: bytes of its texts; how it ended comes first.
RankStatus Shown(const RankStatus& heard, int64_t budget) {
  RankStatus shown = heard;
  shown.set_message(Within(heard.message(), &budget));
  shown.set_waiting_for(Within(heard.waiting_for(), &budget));
  shown.set_doing(Within(heard.doing(), &budget));
  shown.clear_data();      // that of the job says the same
  shown.clear_teachers();  // those of the job are pinned, and a rank that meets others says so in its message
  return shown;
}

bool IsListed(const JobInfo& job, const ListJobsRequest& request) {
  return (request.name().empty() || request.name() == job.spec.name()) &&
         (request.states().empty() || absl::c_linear_search(request.states(), job.state));
}

}  // namespace

void CoordinatorCore::DescribeRate(const JobInfo& job, Job* described) const {
  const GangReport* gang = reports_.Find(job);
  if (job.placement.empty() || gang == nullptr) return;
  // Each rank says how fast the gang is: that of the rank that says most is the newest.
  double rate = 0;
  for (const auto& [rank, status] : gang->ranks) {
    if (!HasEnded(status.phase()) && std::isfinite(status.images_per_second())) {
      rate = std::max(rate, status.images_per_second());
    }
  }
  if (rate <= 0) return;
  described->set_images_per_second(rate);
  const int64_t steps = described->total_steps() - described->step();
  if (described->total_steps() == 0 || steps < 0) return;
  constexpr double kSecondsMost = 3e9;  // a hundred years
  const double seconds = static_cast<double>(steps) * static_cast<double>(job.spec.data().global_batch()) / rate;
  *described->mutable_remaining() = TimeUtil::SecondsToDuration(static_cast<int64_t>(std::min(seconds, kSecondsMost)));
}

Job CoordinatorCore::Outline(const JobInfo& job) const {
  Job outline;
  outline.set_id(job.id);
  *outline.mutable_spec() = job.spec;
  outline.set_state(job.state);
  outline.set_want(job.want);
  outline.set_reason(ToLines(job.reason));  // an earlier version may have journalled anything
  outline.set_generation(job.generation);
  for (const std::string& worker : job.placement) outline.add_worker_ids(worker);
  outline.set_total_steps(job.total_steps);
  outline.set_checkpoint_step(job.checkpoint_steps.empty() ? 0 : job.checkpoint_steps.back());
  const GangReport* gang = reports_.Find(job);
  outline.set_step(std::max(gang == nullptr ? 0 : gang->step, outline.checkpoint_step()));
  *outline.mutable_submitted() = TimeUtil::MillisecondsToTimestamp(job.submitted_unix_ms);
  if (job.state == JOB_STATE_FAILED || job.paused_itself) outline.set_status_code(job.status_code);
  for (const auto& [name, contract] : job.teachers) *outline.add_teachers() = contract;
  outline.set_owner(job.owner);
  outline.set_name(job.spec.name());
  outline.set_num_ranks(job.spec.resources().num_ranks());
  if (job.started_unix_ms != 0) *outline.mutable_started() = TimeUtil::MillisecondsToTimestamp(job.started_unix_ms);
  if (job.finished_unix_ms != 0) *outline.mutable_finished() = TimeUtil::MillisecondsToTimestamp(job.finished_unix_ms);
  const absl::Time now = clock_->Now();
  outline.set_why(ToLines(scheduler_.Reason(job, now), limits::kShortReasonBytes));
  outline.set_silence(ToText(scheduler_.GangSilence(job, now), limits::kShortReasonBytes));
  DescribeRate(job, &outline);
  return outline;
}

Job CoordinatorCore::Describe(const JobInfo& job) const {
  Job described = Outline(job);
  for (const DataContents& data : job.data) *described.add_data() = data;
  const GangReport* gang = reports_.Find(job);
  if (gang == nullptr || gang->ranks.empty()) return described;
  const auto first = gang->ranks.find(0);  // its counts may be ahead of those of the journal
  if (first != gang->ranks.end() && !first->second.data().empty()) *described.mutable_data() = first->second.data();
  const int64_t budget = limits::kPageBytes / static_cast<int64_t>(gang->ranks.size());
  for (const auto& [rank, status] : gang->ranks) *described.add_ranks() = Shown(status, budget);
  return described;
}

absl::StatusOr<ListJobsReply> CoordinatorCore::ListJobs(const ListJobsRequest& request) const {
  ASSIGN_OR_RETURN(Page page, Page::Open("jobs", request.page_size(), request.page_token()));
  if (request.states_size() > JobState_ARRAYSIZE) {
    return absl::InvalidArgumentError(
        absl::StrCat("states: ", request.states_size(), " of them; there are ", JobState_ARRAYSIZE - 1));
  }
  absl::MutexLock lock(&mu_);
  // The page before may end with a job that is deleted by now: its place in the order tells.
  int64_t before = std::numeric_limits<int64_t>::max();
  if (!page.after().empty() && !absl::SimpleAtoi(page.after(), &before)) {
    return absl::InvalidArgumentError(absl::StrCat("page_token: \"", ToText(page.after(), limits::kNameBytes), "\""));
  }
  ListJobsReply reply;
  for (auto place = state_.order().lower_bound(before); place != state_.order().begin();) {
    --place;
    const JobInfo& listed = state_.jobs().at(place->second);
    if (!IsListed(listed, request)) continue;
    Job job = Outline(listed);
    if (request.without_specs()) job.clear_spec();
    if (!page.Takes(absl::StrCat(place->first), static_cast<int64_t>(job.ByteSizeLong()))) break;
    *reply.add_jobs() = std::move(job);
  }
  reply.set_next_page_token(page.next_page_token());
  return reply;
}

absl::StatusOr<ListTeachersReply> CoordinatorCore::ListTeachers(const ListTeachersRequest& request) const {
  ASSIGN_OR_RETURN(Page page, Page::Open("teachers", request.page_size(), request.page_token()));
  absl::MutexLock lock(&mu_);
  ListTeachersReply reply;
  for (auto it = state_.teachers().upper_bound(page.after()); it != state_.teachers().end(); ++it) {
    const absl::Duration silent = scheduler_.TeacherSilence(it->first, clock_->Now());
    TeacherInfo listed;
    listed.set_name(it->first);
    listed.set_address(ToText(it->second.address));
    *listed.mutable_silent_for() = TimeUtil::MillisecondsToDuration(absl::ToInt64Milliseconds(silent));
    if (!page.Takes(it->first, static_cast<int64_t>(listed.ByteSizeLong()))) break;
    *reply.add_teachers() = std::move(listed);
  }
  reply.set_next_page_token(page.next_page_token());
  return reply;
}

absl::StatusOr<ListCheckpointsReply> CoordinatorCore::ListCheckpoints(const ListCheckpointsRequest& request) const {
  const std::string list = absl::StrCat("checkpoints of ", ToText(request.job_id(), limits::kNameBytes));
  ASSIGN_OR_RETURN(Page page, Page::Open(list, request.page_size(), request.page_token()));
  std::vector<int64_t> steps;
  {
    absl::MutexLock lock(&mu_);
    ASSIGN_OR_RETURN(const JobInfo* job, FindJob(request.job_id()));
    steps = job->checkpoint_steps;
  }
  int64_t before = 0;
  if (absl::SimpleAtoi(page.after(), &before)) steps.erase(absl::c_lower_bound(steps, before), steps.end());
  ListCheckpointsReply reply;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    absl::StatusOr<CheckpointManifest> manifest = checkpoints_.GetManifest(request.job_id(), *step);
    if (absl::IsNotFound(manifest.status())) continue;  // deleted just now
    RETURN_IF_ERROR(manifest.status());
    manifest->clear_chunk_sha256();
    if (!page.Takes(absl::StrCat(*step), static_cast<int64_t>(manifest->ByteSizeLong()))) break;
    *reply.add_manifests() = *std::move(manifest);
  }
  reply.set_next_page_token(page.next_page_token());
  return reply;
}

absl::StatusOr<EventsReply> CoordinatorCore::History(const std::string& job_id, int64_t after_number) const {
  absl::MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const JobInfo* job, FindJob(job_id));
  EventsReply reply;
  int64_t before = after_number;
  for (const HistoryEntry& line : job->history) {
    if (line.number() <= after_number) continue;
    reply.set_dropped(reply.dropped() + std::max<int64_t>(0, line.number() - line.count() - before));
    before = line.number();
    *reply.add_entries() = line;
    reply.mutable_entries()->rbegin()->set_text(ToText(line.text(), limits::kShortReasonBytes));
  }
  reply.set_now(ToLines(scheduler_.Reason(*job, clock_->Now()), limits::kShortReasonBytes));
  return reply;
}

absl::StatusOr<CoordinatorCore::RankPlace> CoordinatorCore::FindRank(const std::string& job_id, int64_t generation,
                                                                     int rank) const {
  absl::MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const JobInfo* job, FindJob(job_id));
  if (job->generation == 0) return absl::NotFoundError(absl::StrCat(job_id, " has not run yet, so it has no logs"));
  const int64_t wanted = generation == 0 ? job->generation : generation;
  if (wanted < 0 || wanted > job->generation) {
    return absl::NotFoundError(
        absl::StrCat(job_id, " never had a generation ", wanted, "; its newest is ", job->generation));
  }
  const auto past = absl::c_find_if(job->generations, [&](const PastGeneration& p) { return p.generation == wanted; });
  if (past == job->generations.end()) {
    return absl::NotFoundError(absl::StrCat("where generation ", wanted, " of ", job_id,
                                            " ran is not known any more: only the newest ", kGenerationsKept,
                                            " generations are remembered; the log may lie in its agent's --dir/ranks"));
  }
  const auto ranks = static_cast<int>(past->workers.size());
  if (rank < 0 || rank >= ranks) {
    return absl::NotFoundError(
        absl::StrCat("generation ", wanted, " of ", job_id, " has no rank ", rank, ": its ranks are 0 to ", ranks - 1));
  }
  return RankPlace{past->workers[rank], wanted, wanted == job->generation && !job->placement.empty()};
}

absl::Status CoordinatorCore::CheckHeard(const std::string& worker_id) const {
  absl::MutexLock lock(&mu_);
  if (state_.workers().count(worker_id) == 0) {
    return absl::AbortedError(
        absl::StrCat("the log is on ", worker_id, ", which is gone: no such worker is registered now"));
  }
  const absl::Duration silence = scheduler_.WorkerSilence(worker_id, clock_->Now());
  if (silence <= limits::kHeartbeatsMissed * limits::kHeartbeatPeriod) return absl::OkStatus();
  return absl::AbortedError(absl::StrCat("the log is on ", worker_id, ", which has not been heard for ",
                                         absl::ToInt64Seconds(silence), " s"));
}

absl::StatusOr<LogPiece> CoordinatorCore::AskForLog(const std::string& worker_id, const LogWish& wish,
                                                    const std::function<absl::Status()>& check) {
  return log_wishes_.Ask(worker_id, wish, limits::kRpcDeadline, [&]() -> absl::Status {
    RETURN_IF_ERROR(CheckHeard(worker_id));
    return check();
  });
}

absl::Status CoordinatorCore::SendLogs(const SendLogsRequest& request) {
  {
    absl::MutexLock lock(&mu_);
    RETURN_IF_ERROR(CheckIncarnation(request.worker_id(), request.incarnation()));
  }
  for (const LogPiece& piece : request.pieces()) log_wishes_.Take(request.worker_id(), piece);
  return absl::OkStatus();
}

}  // namespace mimeo
