// What CoordinatorCore tells of jobs, teachers and checkpoints. Every reply fits into a message
// (coordinator/message_sizes_test.cc).
#include <google/protobuf/util/time_util.h>

#include <algorithm>
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

}  // namespace

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
  absl::MutexLock lock(&mu_);
  // The page before may end with a job that is deleted by now: its place in the order tells.
  int64_t before = std::numeric_limits<int64_t>::max();
  if (!page.after().empty() && !absl::SimpleAtoi(page.after(), &before)) {
    return absl::InvalidArgumentError(absl::StrCat("page_token: \"", ToText(page.after(), limits::kNameBytes), "\""));
  }
  ListJobsReply reply;
  for (auto place = state_.order().lower_bound(before); place != state_.order().begin();) {
    --place;
    Job job = Outline(state_.jobs().at(place->second));
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

}  // namespace mimeo
