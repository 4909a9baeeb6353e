#include "coordinator/gang_reports.h"

#include <algorithm>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/text.h"

namespace mimeo {
namespace {

constexpr size_t kFailuresNamed = 4;  // in one reason

struct Failure {
  std::string text;
  int status_code = 0;
  bool permanent = false;
};

bool IsPermanent(int status_code) {
  const auto code = static_cast<absl::StatusCode>(status_code);
  return code == absl::StatusCode::kInvalidArgument || code == absl::StatusCode::kFailedPrecondition;
}

// What is wrong with a rank, if anything: an empty text when nothing is.
Failure FailureOf(const JobInfo& job, const GangReport& gang, int rank, const RankStatus& status) {
  const std::string who = absl::StrCat("rank ", rank, " on ", job.placement[rank], ": ");
  if (!status.dataset_digest().empty() && !job.dataset_digest.empty() &&
      status.dataset_digest() != job.dataset_digest) {
    return {absl::StrCat(who, "data ", job.spec.data().path(), " has digest ", status.dataset_digest(),
                         ", but the job's is ", job.dataset_digest),
            static_cast<int>(absl::StatusCode::kFailedPrecondition), true};
  }
  if (status.phase() == RANK_PHASE_FAILED) {
    return {absl::StrCat(who, status.message()), status.status_code(), IsPermanent(status.status_code())};
  }
  if (status.phase() == RANK_PHASE_STOPPED && !gang.told_to_stop) {
    return {absl::StrCat(who, "stopped without being told to"), static_cast<int>(absl::StatusCode::kAborted), false};
  }
  return {};
}

Event Ended(const JobInfo& job, GangEnd end, absl::string_view reason) {
  Event event;
  GangEnded* ended = event.mutable_gang_ended();
  ended->set_job_id(job.id);
  ended->set_generation(job.generation);
  ended->set_end(end);
  ended->set_reason(ToLines(reason));
  return event;
}

Event Failed(const JobInfo& job, std::vector<Failure> failures) {
  absl::c_stable_sort(failures, [](const Failure& a, const Failure& b) { return a.permanent > b.permanent; });
  const size_t named = std::min(failures.size(), kFailuresNamed);
  std::string reason = absl::StrJoin(failures.begin(), failures.begin() + named, "; ",
                                     [](std::string* out, const Failure& f) { absl::StrAppend(out, f.text); });
  if (named < failures.size()) absl::StrAppend(&reason, "; and ", failures.size() - named, " more ranks");
  Event event = Ended(job, GANG_END_FAILED, reason);
  event.mutable_gang_ended()->set_permanent(failures.front().permanent);
  event.mutable_gang_ended()->set_status_code(failures.front().status_code);
  return event;
}

Event Pinned(const JobInfo& job, const RankStatus& status) {
  Event event;
  DatasetPinned* pinned = event.mutable_dataset_pinned();
  pinned->set_job_id(job.id);
  pinned->set_digest(status.dataset_digest());
  pinned->set_num_samples(status.num_samples());
  pinned->set_total_steps(status.total_steps());
  return event;
}

}  // namespace

bool HasEnded(RankPhase phase) {
  return phase == RANK_PHASE_COMPLETED || phase == RANK_PHASE_STOPPED || phase == RANK_PHASE_FAILED;
}

GangReport& GangReports::Of(const JobInfo& job) {
  GangReport& gang = by_job_[job.id];
  if (gang.generation != job.generation) {
    gang = GangReport();
    gang.generation = job.generation;
    gang.step = job.resume_step;
  }
  return gang;
}

const GangReport* GangReports::Find(const JobInfo& job) const {
  const auto found = by_job_.find(job.id);
  return found == by_job_.end() || found->second.generation != job.generation ? nullptr : &found->second;
}

bool GangReports::Hear(const JobInfo& job, const std::string& worker_id, const RankStatus& status) {
  const int rank = status.rank();
  if (status.generation() != job.generation || rank < 0 || rank >= static_cast<int>(job.placement.size()) ||
      job.placement[rank] != worker_id) {
    return false;
  }
  GangReport& gang = Of(job);
  RankStatus& before = gang.ranks[rank];
  RankStatus compared = status;
  compared.set_images_per_second(before.images_per_second());
  const bool changed = compared.SerializeAsString() != before.SerializeAsString();
  before = status;
  gang.step = std::max(gang.step, status.step());
  return changed;
}

void GangReports::HearStep(const JobInfo& job, int64_t generation, int64_t step) {
  if (generation != job.generation) return;
  GangReport& gang = Of(job);
  gang.step = std::max(gang.step, step);
}

std::vector<Event> EventsOf(const JobInfo& job, const GangReport& gang) {
  if (job.placement.empty() || gang.generation != job.generation) return {};
  std::vector<Failure> failures;
  size_t ended = 0;
  size_t completed = 0;
  for (const auto& [rank, status] : gang.ranks) {
    Failure failure = FailureOf(job, gang, rank, status);
    if (!failure.text.empty()) failures.push_back(std::move(failure));
    ended += HasEnded(status.phase());
    completed += status.phase() == RANK_PHASE_COMPLETED;
  }
  if (!failures.empty()) return {Failed(job, std::move(failures))};
  if (job.dataset_digest.empty()) {
    for (const auto& [rank, status] : gang.ranks) {
      if (!status.dataset_digest().empty()) return {Pinned(job, status)};
    }
  }
  if (completed == job.placement.size()) return {Ended(job, GANG_END_COMPLETED, "every step is done")};
  if (ended == job.placement.size()) return {Ended(job, GANG_END_STOPPED, "stopped as a person asked")};
  return {};
}

}  // namespace mimeo
