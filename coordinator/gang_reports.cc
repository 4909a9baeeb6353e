#include "coordinator/gang_reports.h"

#include <algorithm>
#include <map>
#include <optional>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/limits.h"
#include "base/text.h"

namespace mimeo {
namespace {

constexpr size_t kReasonsNamed = 4;      // in one reason
constexpr size_t kReasonsExplained = 8;  // of one gang

struct RankFailure {
  std::string text;  // with the rank's name
  WorkerFailure what;
  bool permanent = false;
  bool needs_person = false;
  bool lost_a_peer = false;  // and has no reason of its own
};

// What gloo, NCCL and the gang's store say when another rank, or the way to it, is gone.
bool LostAPeer(const RankStatus& status) {
  const auto code = static_cast<absl::StatusCode>(status.status_code());
  if (code != absl::StatusCode::kAborted && code != absl::StatusCode::kUnavailable) return false;
  constexpr const char* kSayings[] = {"connection closed",
                                      "connection reset",
                                      "connection was closed",
                                      "broken pipe",
                                      "socket closed",
                                      "the gang's store",
                                      "remote process exited",
                                      "connection refused",
                                      "timed out waiting",
                                      "cannot reach each other",
                                      "application timeout caused pair closure"};
  const std::string message = absl::AsciiStrToLower(status.message());
  return absl::c_any_of(kSayings, [&](const char* saying) { return absl::StrContains(message, saying); });
}

bool SeesOtherData(const JobInfo& job, const RankStatus& status) {
  return !status.dataset_digest().empty() && !job.dataset_digest.empty() &&
         status.dataset_digest() != job.dataset_digest;
}

RankFailure MakeFailure(const JobInfo& job, int rank, absl::StatusCode code, absl::string_view message) {
  RankFailure failure;
  const std::string text = ToLines(message);
  failure.text = absl::StrCat("rank ", rank, " on ", job.placement[rank], ": ", text);
  failure.what.set_worker_id(job.placement[rank]);
  failure.what.set_status_code(static_cast<int>(code));
  failure.what.set_message(ToText(text.substr(0, text.find('\n')), limits::kShortReasonBytes));
  return failure;
}

// What is wrong with a rank, if anything.
std::optional<RankFailure> FailureOf(const JobInfo& job, const GangReport& gang, int rank, const RankStatus& status) {
  if (SeesOtherData(job, status)) {
    RankFailure failure = MakeFailure(job, rank, absl::StatusCode::kFailedPrecondition,
                                      absl::StrCat("data ", job.spec.data().path(), " has digest ",
                                                   status.dataset_digest(), ", but the job's is ", job.dataset_digest));
    return failure;
  }
  if (status.phase() == RANK_PHASE_FAILED && gang.leaving.count(job.placement[rank]) == 0) {
    const auto code = static_cast<absl::StatusCode>(status.status_code());
    RankFailure failure = MakeFailure(job, rank, code, status.message());
    failure.permanent = code == absl::StatusCode::kInvalidArgument;
    failure.needs_person = code == absl::StatusCode::kFailedPrecondition && gang.Advanced(job);
    failure.lost_a_peer = LostAPeer(status);
    return failure;
  }
  if (status.phase() == RANK_PHASE_STOPPED && !gang.told_to_stop) {
    return MakeFailure(job, rank, absl::StatusCode::kAborted, "stopped without being told to");
  }
  return std::nullopt;
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

Event Moved(const JobInfo& job, const std::vector<WorkerFailure>& from) {
  const size_t named = std::min(from.size(), kReasonsNamed);
  std::string reason =
      absl::StrJoin(from.begin(), from.begin() + named, "; ", [](std::string* out, const WorkerFailure& worker) {
        absl::StrAppend(out, worker.worker_id(), " ", worker.message());
      });
  if (named < from.size()) absl::StrAppend(&reason, "; and ", from.size() - named, " more workers");
  Event event = Ended(job, GANG_END_STOPPED, absl::StrCat("moves: ", reason));
  event.mutable_gang_ended()->mutable_failures()->Add(from.begin(), from.end());
  return event;
}

// `failures` are those that count, the first is why the gang ends. Names the workers that may be to blame.
Event Failed(const JobInfo& job, std::vector<RankFailure> failures, bool blames) {
  const auto rank_of = [](const RankFailure& f) {
    return f.permanent ? 0 : f.needs_person ? 1 : f.lost_a_peer ? 3 : 2;
  };
  absl::c_stable_sort(failures, [&](const RankFailure& a, const RankFailure& b) { return rank_of(a) < rank_of(b); });
  const size_t named = std::min(failures.size(), kReasonsNamed);
  std::string reason = absl::StrJoin(failures.begin(), failures.begin() + named, "; ",
                                     [](std::string* out, const RankFailure& f) { absl::StrAppend(out, f.text); });
  if (named < failures.size()) absl::StrAppend(&reason, "; and ", failures.size() - named, " more ranks");
  Event event = Ended(job, GANG_END_FAILED, reason);
  GangEnded* ended = event.mutable_gang_ended();
  const RankFailure& first = failures.front();
  ended->set_permanent(first.permanent);
  ended->set_needs_person(first.needs_person);
  ended->set_status_code(first.what.status_code());
  if (first.permanent || first.needs_person || !blames) return event;
  std::set<std::string> workers;
  for (const RankFailure& failure : failures) {
    if (failure.lost_a_peer != first.lost_a_peer || ended->failures_size() >= limits::kFailuresNamed) continue;
    if (workers.insert(failure.what.worker_id()).second) *ended->add_failures() = failure.what;
  }
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

// Whether the journal should hear what rank 0 says of the data: there is something new in it, and not only counts that
// grow. Those are journalled when they have doubled and when the rank ends, so that thousands of bad samples are a few
// events.
bool IsNews(const std::vector<DataContents>& before, const RankStatus& status) {
  const auto counts = [](const auto& data) {
    std::map<std::string, int64_t> by_reason;
    for (const DataContents& one : data) {
      for (const PassedOver& row : one.passed_over()) by_reason[one.field() + " " + row.reason()] = row.count();
    }
    return by_reason;
  };
  const auto texts = [](const auto& data) {
    std::string all;
    for (const DataContents& one : data) all += one.SerializeAsString();
    return all;
  };
  if (status.data().empty() || texts(before) == texts(status.data())) return false;
  if (before.empty() || HasEnded(status.phase())) return true;
  const std::map<std::string, int64_t> known = counts(before);
  for (const auto& [reason, count] : counts(status.data())) {
    const auto found = known.find(reason);
    if (found == known.end() || count >= 2 * found->second) return true;
  }
  return false;
}

Event Described(const JobInfo& job, const RankStatus& status) {
  Event event;
  event.mutable_data_described()->set_job_id(job.id);
  *event.mutable_data_described()->mutable_data() = status.data();
  return event;
}

}  // namespace

std::vector<std::string> RankReasons(const GangReport& gang) {
  const auto duration = [](const google::protobuf::Duration& d) {
    return absl::FormatDuration(
        absl::Trunc(absl::Seconds(d.seconds()) + absl::Nanoseconds(d.nanos()), absl::Seconds(1)));
  };
  std::vector<std::string> waiting;
  std::vector<std::string> doing;
  for (const auto& [rank, status] : gang.ranks) {
    if (!status.waiting_for().empty()) {
      waiting.push_back(
          absl::StrCat("rank ", rank, " stands still at step ", status.step(), ": waits for ", status.waiting_for()));
    } else if (!status.doing().empty() && !HasEnded(status.phase())) {
      doing.push_back(absl::StrCat("rank ", rank, ": ", status.doing()));
      if (status.has_quiet() && status.has_patience()) {
        absl::StrAppend(&doing.back(), "; quiet for ", duration(status.quiet()), " of ", duration(status.patience()));
      }
    }
  }
  std::vector<std::string> reasons = std::move(waiting);
  reasons.insert(reasons.end(), doing.begin(), doing.end());
  if (reasons.size() > kReasonsExplained) {
    const size_t more = reasons.size() - kReasonsExplained;
    reasons.resize(kReasonsExplained);
    reasons.push_back(absl::StrCat("and ", more, " more ranks"));
  }
  for (std::string& reason : reasons) reason = ToLines(reason, limits::kShortReasonBytes);
  return reasons;
}

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

bool GangReports::Hear(const JobInfo& job, const std::string& worker_id, const RankStatus& status, absl::Time now) {
  const int rank = status.rank();
  if (status.generation() != job.generation || rank < 0 || rank >= static_cast<int>(job.placement.size()) ||
      job.placement[rank] != worker_id) {
    return false;
  }
  GangReport& gang = Of(job);
  RankStatus& before = gang.ranks[rank];
  RankStatus compared = status;
  // These change with every beat.
  compared.set_images_per_second(before.images_per_second());
  compared.set_progress(before.progress());
  *compared.mutable_quiet() = before.quiet();
  *compared.mutable_patience() = before.patience();
  if (!before.has_quiet()) compared.clear_quiet();
  if (!before.has_patience()) compared.clear_patience();
  const bool changed = compared.SerializeAsString() != before.SerializeAsString();
  before = status;
  gang.step = std::max(gang.step, status.step());
  if (status.phase() == RANK_PHASE_FAILED) gang.failed_at = std::min(gang.failed_at, now);
  if (status.waits_for_data() && !HasEnded(status.phase())) {
    gang.data_missed_at.emplace(rank, now);
  } else {
    gang.data_missed_at.erase(rank);
  }
  return changed;
}

void GangReports::HearStep(const JobInfo& job, int64_t generation, int64_t step) {
  if (generation != job.generation) return;
  GangReport& gang = Of(job);
  gang.step = std::max(gang.step, step);
}

DataWait DataWaitOf(const JobInfo& job, const GangReport& gang) {
  DataWait wait;
  if (job.placement.empty()) return wait;
  std::set<std::string> named;
  for (const auto& [rank, since] : gang.data_missed_at) {
    wait.since = std::min(wait.since, since);
    if (wait.workers.size() >= limits::kFailuresNamed || !named.insert(job.placement[rank]).second) continue;
    const std::string text = absl::StrCat("does not see what it waits for: ", gang.ranks.at(rank).waiting_for());
    wait.workers.push_back(MakeFailure(job, rank, absl::StatusCode::kUnavailable, text).what);
  }
  return wait;
}

std::vector<Event> EventsOf(const JobInfo& job, const GangReport& gang, absl::Time now) {
  if (job.placement.empty() || gang.generation != job.generation) return {};
  if (job.dataset_digest.empty()) {
    for (const auto& [rank, status] : gang.ranks) {
      if (!status.dataset_digest().empty()) return {Pinned(job, status)};
    }
  }
  const auto first = gang.ranks.find(0);
  if (first != gang.ranks.end() && IsNews(job.data, first->second)) return {Described(job, first->second)};
  std::vector<RankFailure> failures;
  size_t ended = 0;
  size_t completed = 0;
  bool own_reason = false;
  for (const auto& [rank, status] : gang.ranks) {
    ended += HasEnded(status.phase());
    completed += status.phase() == RANK_PHASE_COMPLETED;
    std::optional<RankFailure> failure = FailureOf(job, gang, rank, status);
    if (!failure.has_value() || (failure->lost_a_peer && !gang.leaving.empty())) continue;
    own_reason |= !failure->lost_a_peer;
    failures.push_back(*std::move(failure));
  }
  const bool all_ended = ended == job.placement.size();
  // Whom they lost may be about to say why. When it never does, its worker is silent, and those that are left are not
  // to blame.
  if (!failures.empty() && (own_reason || all_ended || now - gang.failed_at >= kLostPeerPatience)) {
    return {Failed(job, std::move(failures), own_reason || all_ended)};
  }
  if (!failures.empty()) return {};
  if (completed == job.placement.size()) return {Ended(job, GANG_END_COMPLETED, "every step is done")};
  if (!all_ended) return {};
  if (job.want == WANT_RUN && !gang.emptied.empty()) {
    const std::string& worker = *gang.emptied.begin();
    return {Ended(job, GANG_END_STOPPED,
                  absl::StrCat("moves: ", worker, gang.leaving.count(worker) > 0 ? " leaves" : " is drained"))};
  }
  if (job.want == WANT_RUN && !gang.moves_from.empty()) return {Moved(job, gang.moves_from)};
  return {Ended(job, GANG_END_STOPPED, "stopped as a person asked")};
}

}  // namespace mimeo
