// Scheduler: in words, for whoever asks.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/text.h"
#include "coordinator/scheduler.h"
#include "job/job_shape.h"

namespace mimeo {
namespace {

constexpr int kWorkersNamed = 8;  // in one reason

std::string Seconds(absl::Duration duration) {
  return absl::FormatDuration(absl::Ceil(std::max(duration, absl::ZeroDuration()), absl::Seconds(1)));
}

// How long ago: what has not lasted a second is none.
std::string Since(absl::Duration duration) { return absl::FormatDuration(absl::Trunc(duration, absl::Seconds(1))); }

std::string WorkersText(const std::set<std::string>& workers) {
  const int unnamed = static_cast<int>(workers.size()) - kWorkersNamed;
  if (unnamed <= 0) return absl::StrJoin(workers, ", ");
  return absl::StrCat(absl::StrJoin(workers.begin(), std::next(workers.begin(), kWorkersNamed), ", "), " and ", unnamed,
                      " more");
}

// "j3 holds 2" for every gang with slots on the worker.
std::vector<std::string> Holders(const ClusterState& state, const std::string& worker_id) {
  std::vector<std::string> holders;
  for (const auto& [job, slots] : state.SlotsHeld(worker_id)) holders.push_back(absl::StrCat(job, " holds ", slots));
  return holders;
}

}  // namespace

std::vector<std::string> Scheduler::Explain(const std::string& job_id, absl::Time now) const {
  const auto found = state_.jobs().find(job_id);
  if (found == state_.jobs().end()) return {};
  const JobInfo& job = found->second;
  if (IsFinal(job.state)) {
    if (job.state != JOB_STATE_FAILED) return {job.reason};
    return {job.reason,
            absl::StrCat("`mimeo resume ", job.id, "` tries it again, from its newest checkpoint if it has one")};
  }
  std::vector<std::string> reasons = {ReasonOf(job, now)};
  if (job.failures_in_a_row > 0 && later_until_.count(job.id) == 0 && !job.paused_itself) {
    reasons.push_back(absl::StrCat(job.failures_in_a_row, " of ", job.spec.resources().max_restarts(),
                                   " restarts without a new checkpoint were used"));
  }
  ExplainWorkers(job, now, &reasons);
  if (job.reason != reasons.front() && later_until_.count(job.id) == 0) {
    reasons.push_back(absl::StrCat("newest change: ", job.reason));
  }
  return reasons;
}

std::string Scheduler::Reason(const JobInfo& job, absl::Time now) const {
  return IsFinal(job.state) ? job.reason : ReasonOf(job, now);
}

// "silent 43 s; given up at 60 s", so that a person sees it grow and knows when it ends.
std::string Scheduler::SilenceText(absl::Duration silence) const {
  return absl::StrCat("silent ", absl::ToInt64Seconds(silence), " s; given up at ",
                      absl::ToInt64Seconds(options_.lease), " s");
}

std::string Scheduler::GangSilence(const JobInfo& job, absl::Time now) const {
  const auto gang = gangs_.find(job.id);
  if (gang == gangs_.end()) return "";
  std::vector<std::string> silent;
  for (const std::string& id : gang->second) {
    const absl::Duration silence = WorkerSilence(id, now);
    if (silence > QuietAfter()) silent.push_back(absl::StrCat(id, " ", SilenceText(silence)));
    if (silent.size() == kWorkersNamed) break;
  }
  return absl::StrJoin(silent, ", ");
}

std::string Scheduler::ReasonOf(const JobInfo& job, absl::Time now) const {
  if (!job.placement.empty()) {
    const std::set<std::string>& gang = gangs_.at(job.id);
    const std::string where = absl::StrCat("generation ", job.generation, " runs on ", WorkersText(gang));
    const std::string lapse = Lapse(job);
    if (!lapse.empty()) {
      const std::string teacher = MissingTeacher(job);
      return absl::StrCat(lapse, "; ", job.id, " keeps generation ", job.generation, ": ",
                          teacher.empty() ? QueueReason(job, now) : teacher);
    }
    if (job.want == WANT_PAUSE) return absl::StrCat(where, ", until its checkpoint");
    for (const std::string& id : gang) {
      if (MustEmpty(id)) {
        return absl::StrCat(where, ", until its checkpoint: ", id, IsLeaving(id) ? " leaves" : " is drained");
      }
    }
    const auto watch = data_waits_.find(job.id);
    return watch == data_waits_.end() ? where : absl::StrCat(where, DataReason(job, watch->second, now));
  }
  if (job.want == WANT_CANCEL) return "a person cancelled it";
  if (job.state == JOB_STATE_PAUSED) return job.paused_itself ? job.reason : "paused by a person, until it is resumed";
  const auto later = later_until_.find(job.id);
  if (later != later_until_.end()) {
    return absl::StrCat("restarts in ", Seconds(later->second - now), ", after failure ", job.failures_in_a_row, " of ",
                        job.spec.resources().max_restarts() + 1, " in a row: ", job.reason);
  }
  if (unsettled_.count(job.id) > 0) return job.reason;
  const std::string teacher = MissingTeacher(job);
  return teacher.empty() ? QueueReason(job, now) : teacher;
}

std::string Scheduler::DataReason(const JobInfo& job, const DataWatch& watch, absl::Time now) const {
  std::set<std::string> workers;
  for (const WorkerFailure& worker : watch.wait.workers) workers.insert(worker.worker_id());
  const bool moves = moving_.count(job.id) > 0;
  const std::string missed =
      absl::StrCat(moves ? ", until its checkpoint: it moves, for " : "; ", WorkersText(workers),
                   workers.size() == 1 ? " has" : " have", " not seen its data for ", Since(now - watch.wait.since));
  if (moves) return missed;
  const absl::Time due = MovesAt(job, watch.wait);
  if (now < due) return absl::StrCat(missed, "; it moves in ", Seconds(due - now), " if others have room");
  const std::string teacher = MissingTeacher(job);
  return absl::StrCat(missed, "; it stays: ", teacher.empty() ? QueueReason(job, now) : teacher);
}

std::string Scheduler::MissingTeacher(const JobInfo& job) const {
  for (const std::string& name : TeacherNames(job.spec)) {
    if (state_.teachers().count(name) == 0) return absl::StrCat("waits for teacher \"", name, "\": not registered");
    if (queue_.HasTeacher(name)) continue;
    return absl::StrCat("waits for teacher \"", name, "\": not heard of within the lease of ",
                        absl::FormatDuration(options_.lease));
  }
  return "";
}

std::string Scheduler::QueueReason(const JobInfo& job, absl::Time now) const {
  const QueuePosition* const first = queue_.First();
  if (first == nullptr || !(*first < PositionOf(job))) return SlotsReason(job, now);
  const JobInfo& holder = state_.jobs().at(first->job_id);
  return absl::StrCat("waits behind ", holder.id, ", which waits for slots (priority ",
                      holder.spec.resources().priority(), ", submitted as number ", holder.sequence, ")");
}

// What it needs, and what there is.
std::string Scheduler::SlotsReason(const JobInfo& job, absl::Time now) const {
  const ResourceSpec& resources = job.spec.resources();
  const std::set<std::string>& avoided = Avoided(job);
  std::vector<std::string> free;
  int unnamed = 0;
  for (const auto& [id, offer] : slots_.offers()) {
    if (!Suits(resources, offer) || !WasHeard(id)) continue;
    if (free.size() == kWorkersNamed) {
      ++unnamed;
      continue;
    }
    std::vector<std::string> notes = Holders(state_, id);
    for (const std::string& moving : moving_) {
      const auto& kept = data_waits_.at(moving).kept;
      if (kept.count(id) > 0) notes.push_back(absl::StrCat(kept.at(id), " kept for ", moving));
    }
    if (avoided.count(id) > 0) notes.push_back("it failed there");
    if (!IsOffered(id, now)) notes.push_back("given nothing now");
    free.push_back(absl::StrCat(id, " ", offer.free, " of ", offer.total,
                                notes.empty() ? "" : absl::StrCat(" (", absl::StrJoin(notes, ", "), ")")));
  }
  if (unnamed > 0) free.push_back(absl::StrCat(unnamed, " more"));
  const std::string needs =
      absl::StrCat("needs ", resources.num_ranks(), resources.num_ranks() == 1 ? " slot" : " slots", " on ",
                   WorkersWanted(resources), "; ");
  if (free.empty()) return absl::StrCat(needs, "no ", WorkersWanted(resources), " are heard of");
  return absl::StrCat(
      needs, "free: ", absl::StrJoin(free, ", "),
      slots_.Capacity(resources, Tier::kAway) < resources.num_ranks() ? "; too few even when all are idle" : "");
}

// Of a waiting job, all that suit; of a running one, its own.
void Scheduler::ExplainWorkers(const JobInfo& job, absl::Time now, std::vector<std::string>* reasons) const {
  if (job.state == JOB_STATE_PAUSED) return;
  int unnamed = 0;
  int named = 0;
  const auto explain = [&](const std::string& id) {
    const std::string note = WorkerNote(id, now);
    if (note.empty()) return;
    if (++named > kWorkersNamed)
      ++unnamed;
    else
      reasons->push_back(absl::StrCat(id, ": ", note));
  };
  if (!job.placement.empty()) {
    for (const std::string& id : gangs_.at(job.id)) explain(id);
  } else {
    for (const auto& [id, worker] : state_.workers()) {
      const SlotOffer* const offer = slots_.Find(id);
      if (offer == nullptr || Suits(job.spec.resources(), *offer)) explain(id);
    }
  }
  if (unnamed > 0) {
    reasons->push_back(absl::StrCat(unnamed, " more workers are silent, leave, are drained or failed gangs lately"));
  }
}

std::string Scheduler::WorkerNote(const std::string& id, absl::Time now) const {
  const auto heard = workers_.find(id);
  if (heard == workers_.end()) return "";
  std::vector<std::string> notes;
  const absl::Duration silence = now - heard->second.at;
  if (heard->second.leaving) notes.push_back("leaves: its agent was told to stop");
  if (state_.IsDrained(id)) notes.push_back("drained by a person");
  if (silence > options_.lease) {
    notes.push_back(absl::StrCat("silent for ", Since(silence), ": its lease of ", absl::FormatDuration(options_.lease),
                                 " expired"));
  } else if (silence > QuietAfter()) {
    notes.push_back(SilenceText(silence));
  } else if (!heard->second.ever) {
    notes.push_back("not heard since this coordinator started");
  }
  const Blame::Failure* const failure = blame_.Newest(id);
  if (failure != nullptr && blame_.Of(id, now) > Blame::kForgotten) {
    const absl::Time rests = blame_.RestsUntil(id);
    notes.push_back(absl::StrFormat(
        "blamed %.1f, %s; forgotten in %s; %s ago: %s", blame_.Of(id, now),
        rests > now ? absl::StrCat("rests for ", Seconds(rests - now)) : std::string("taken last"),
        Seconds(blame_.FallsTo(Blame::kForgotten, id, now) - now), Since(now - failure->at), failure->what.message()));
  }
  return ToLines(absl::StrJoin(notes, "; "), limits::kShortReasonBytes);
}

}  // namespace mimeo
