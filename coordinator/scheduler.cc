#include "coordinator/scheduler.h"

#include <algorithm>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/text.h"
#include "job/job_shape.h"

namespace mimeo {
namespace {

constexpr size_t kEventsPerDecision = 64;  // of those that do not depend on each other
constexpr Tier kAnyTier = Tier::kAway;

std::string WorkersText(const std::vector<std::string>& placement) {
  return absl::StrJoin(std::set<std::string>(placement.begin(), placement.end()), ", ");
}

Event Ended(const JobInfo& job, GangEnd end, const std::string& reason) {
  Event event;
  GangEnded* ended = event.mutable_gang_ended();
  ended->set_job_id(job.id);
  ended->set_generation(job.generation);
  ended->set_end(end);
  ended->set_reason(reason);
  return event;
}

Event Placed(const JobInfo& job, const std::vector<std::string>& placement, const std::string& why) {
  Event event;
  GangPlaced* placed = event.mutable_gang_placed();
  placed->set_job_id(job.id);
  placed->set_generation(job.generation + 1);
  for (const std::string& id : placement) placed->add_worker_ids(id);
  placed->set_resume_step(job.checkpoint_steps.empty() ? 0 : job.checkpoint_steps.back());
  placed->set_reason(absl::StrCat(why, " on ", WorkersText(placement)));
  return event;
}

Event Finished(const JobInfo& job, JobState state, const std::string& reason) {
  Event event;
  JobFinished* finished = event.mutable_job_finished();
  finished->set_job_id(job.id);
  finished->set_state(state);
  finished->set_reason(ToLines(reason));
  if (state == JOB_STATE_FAILED) finished->set_status_code(job.status_code);
  return event;
}

Event Paused(const JobInfo& job, const std::string& reason) {
  Event event;
  JobPaused* paused = event.mutable_job_paused();
  paused->set_job_id(job.id);
  paused->set_reason(ToLines(reason));
  paused->set_status_code(job.status_code);
  return event;
}

// How many workers failed the job with the code of its newest failure.
int WorkersThatSay(const JobInfo& job) {
  return static_cast<int>(
      absl::c_count_if(job.failures, [&](const WorkerFailure& f) { return f.status_code() == job.status_code; }));
}

std::string GoesOn(const JobInfo& job) {
  return absl::StrCat(
      "`mimeo resume ", job.id, "` goes on from ",
      job.checkpoint_steps.empty() ? "the beginning" : absl::StrCat("step ", job.checkpoint_steps.back()));
}

}  // namespace

void Scheduler::Begin(absl::Time now) {
  for (const auto& [id, worker] : state_.workers()) workers_[id].at = now;
  for (const auto& [name, teacher] : state_.teachers()) teachers_[name].at = now;
  for (const auto& [id, job] : state_.jobs()) {
    if (!job.placement.empty()) gangs_[id] = {job.placement.begin(), job.placement.end()};
    if (KeepsTooMany(job)) keeps_too_many_.insert(id);
    if ((job.failures_in_a_row == 0 && job.failures.empty()) || IsFinal(job.state)) continue;
    Trouble& trouble = troubles_[id];
    trouble.failed_at = now;
    for (const WorkerFailure& failure : job.failures) {
      trouble.avoided.insert(failure.worker_id());
      blame_.Add(id, failure, 1.0 / static_cast<double>(job.failures.size()), now);
    }
  }
  for (const auto& [id, worker] : state_.workers()) RefreshWorker(id, now);
  for (const auto& [name, teacher] : state_.teachers()) RefreshTeacher(name, now);
  for (const auto& [id, job] : state_.jobs()) Refile(job, now);
}

void Scheduler::Applied(const Event& event, absl::Time now, bool advanced) {
  switch (event.kind_case()) {
    case Event::kWorkerRegistered: {
      const std::string& id = event.worker_registered().worker().id();
      Heard& heard = workers_.try_emplace(id, Heard{now}).first->second;
      heard.leaving = false;
      return RefreshWorker(id, now);
    }
    case Event::kWorkerForgotten:
      return RefreshWorker(event.worker_forgotten().worker_id(), now);
    case Event::kWorkerDrained:
      return RefreshWorker(event.worker_drained().worker_id(), now);
    case Event::kTeacherRegistered:
      teachers_.try_emplace(event.teacher_registered().name(), Heard{now});
      return RefreshTeacher(event.teacher_registered().name(), now);
    case Event::kTeacherForgotten:
      return RefreshTeacher(event.teacher_forgotten().name(), now);
    case Event::kCheckpointCommitted:
    case Event::kCheckpointDeleted: {
      const bool committed = event.has_checkpoint_committed();
      const std::string& id =
          committed ? event.checkpoint_committed().manifest().job_id() : event.checkpoint_deleted().job_id();
      const JobInfo& job = state_.jobs().at(id);
      if (KeepsTooMany(job))
        keeps_too_many_.insert(id);
      else
        keeps_too_many_.erase(id);
      if (job.failures_in_a_row == 0) troubles_.erase(id);
      return;
    }
    case Event::kJobSubmitted:
      return Refile(state_.jobs().at(event.job_submitted().job_id()), now);
    case Event::kJobDeleted:  // it was final, so it stands nowhere else
      keeps_too_many_.erase(event.job_deleted().job_id());
      return;
    case Event::kJobControlled: {
      const JobInfo& job = state_.jobs().at(event.job_controlled().job_id());
      if (job.failures_in_a_row == 0) troubles_.erase(job.id);
      return Refile(job, now);
    }
    case Event::kJobExtended:
      return Refile(state_.jobs().at(event.job_extended().job_id()), now);
    case Event::kGangPlaced: {
      const JobInfo& job = state_.jobs().at(event.gang_placed().job_id());
      gangs_[job.id] = {job.placement.begin(), job.placement.end()};
      for (const std::string& id : gangs_[job.id]) RefreshWorker(id, now);
      return Refile(job, now);
    }
    case Event::kGangEnded: {
      const JobInfo& job = state_.jobs().at(event.gang_ended().job_id());
      ForgetDataWait(job.id);
      if (event.gang_ended().end() == GANG_END_FAILED) NoteFailure(event.gang_ended(), now, advanced);
      if (event.gang_ended().end() == GANG_END_STOPPED && event.gang_ended().failures_size() > 0) {
        NoteMove(event.gang_ended(), now);
      }
      for (const std::string& id : gangs_[job.id]) RefreshWorker(id, now);
      gangs_.erase(job.id);
      return Refile(job, now);
    }
    case Event::kJobFinished:
    case Event::kJobPaused: {
      const std::string& id = event.has_job_finished() ? event.job_finished().job_id() : event.job_paused().job_id();
      ForgetBlame(state_.jobs().at(id), now);
      return Refile(state_.jobs().at(id), now);
    }
    default:
      return;
  }
}

void Scheduler::NoteFailure(const GangEnded& ended, absl::Time now, bool advanced) {
  Trouble& trouble = troubles_[ended.job_id()];
  trouble.failed_at = now;
  trouble.advanced = advanced;
  trouble.trained |= advanced;
  for (const WorkerFailure& failure : ended.failures()) {
    // A host on which the job got on is preferred less, but taken: it may be the only one that is free.
    if (!advanced) trouble.avoided.insert(failure.worker_id());
    blame_.Add(ended.job_id(), failure, (advanced ? 0.5 : 1.0) / ended.failures_size(), now);
  }
}

// Who was blamed for a failure that turned out to be the job's own, since several hosts had it, is blamed no more.
void Scheduler::ForgetBlame(const JobInfo& job, absl::Time now) {
  if (job.state != JOB_STATE_FAILED && job.failures.size() < 2) return;
  for (const std::string& id : blame_.ForgetJob(job.id)) RefreshWorker(id, now);
}

bool Scheduler::KeepsTooMany(const JobInfo& job) const {
  return job.checkpoint_steps.size() > static_cast<size_t>(std::max(1, job.spec.checkpoint().keep_last()));
}

void Scheduler::CountNeeds(const JobInfo& job) {
  const bool unfinished = !IsFinal(job.state);
  if (unfinished == unfinished_.contains(job.id)) return;
  if (unfinished)
    unfinished_.insert(job.id);
  else
    unfinished_.erase(job.id);
  for (const std::string& name : TeacherNames(job.spec)) {
    needs_[name] += unfinished ? 1 : -1;
    if (needs_[name] == 0) needs_.erase(name);
  }
}

void Scheduler::Refile(const JobInfo& job, absl::Time now) {
  queue_.Remove(job.id);
  lost_.erase(PositionOf(job));
  unsettled_.erase(job.id);
  const auto put_off = later_until_.find(job.id);
  if (put_off != later_until_.end()) {
    later_.erase({put_off->second, job.id});
    later_until_.erase(put_off);
  }
  CountNeeds(job);
  if (IsFinal(job.state)) {
    troubles_.erase(job.id);
  } else if (!job.placement.empty()) {
    if (!Lapse(job).empty()) lost_.insert(PositionOf(job));
    if (job.want == WANT_CANCEL || (job.want == WANT_PAUSE && lost_.count(PositionOf(job)) > 0))
      unsettled_.insert(job.id);
  } else {
    FileIdle(job, now);
  }
}

void Scheduler::FileIdle(const JobInfo& job, absl::Time now) {
  if (job.want == WANT_CANCEL || job.failed_for_good) {
    unsettled_.insert(job.id);
    return;
  }
  if (job.state != JOB_STATE_PENDING) return;
  const Verdict verdict = Judge(job, now);
  if (verdict.turn == Turn::kQueue) {
    queue_.Add(job);
  } else if (verdict.turn == Turn::kLater) {
    later_.emplace(verdict.due, job.id);
    later_until_[job.id] = verdict.due;
  } else {
    unsettled_.insert(job.id);
  }
}

// It may be the job's own mistake, or only that host's: another host is asked. A path that nobody has read yet, say.
bool Scheduler::AsksAnotherHost(const JobInfo& job) const {
  if (job.failures.empty()) return false;
  const auto code = static_cast<absl::StatusCode>(job.status_code);
  if (code == absl::StatusCode::kFailedPrecondition) return true;
  if (code != absl::StatusCode::kNotFound && code != absl::StatusCode::kPermissionDenied) return false;
  if (job.dataset_digest.empty()) return true;
  // That another file than the data (evaluation.path, say) was ever read, only steps and checkpoints tell.
  const auto trouble = troubles_.find(job.id);
  const bool trained = !job.checkpoint_steps.empty() || (trouble != troubles_.end() && trouble->second.trained);
  return !trained && !absl::StartsWith(job.failures.back().message(), "data.path");
}

Scheduler::Verdict Scheduler::Judge(const JobInfo& job, absl::Time now) const {
  if (job.failed_for_good) return {Turn::kFail};
  if (job.needs_person) return {Turn::kPause};
  const int failures = job.failures_in_a_row;
  const int max_restarts = job.spec.resources().max_restarts();
  if (failures == 0) return {Turn::kQueue};
  if (AsksAnotherHost(job) && failures <= std::max(1, max_restarts)) {
    if (WorkersThatSay(job) < 2 && FitsElsewhere(job)) return {Turn::kQueue};
    return {static_cast<absl::StatusCode>(job.status_code) == absl::StatusCode::kFailedPrecondition ? Turn::kPause
                                                                                                    : Turn::kFail};
  }
  if (failures > max_restarts) return {Turn::kPause};
  const auto trouble = troubles_.find(job.id);
  if (trouble == troubles_.end()) return {Turn::kQueue};
  // A gang that got on is tried again at once, and so is one that another host may run. Not for ever: a job that fails
  // everywhere does not sweep a rack.
  if (failures == 1 && trouble->second.advanced) return {Turn::kQueue};
  if (failures <= 2 && FitsElsewhere(job)) return {Turn::kQueue};
  const absl::Time due = trouble->second.failed_at + RestartPause(failures);
  return due <= now ? Verdict{Turn::kQueue} : Verdict{Turn::kLater, due};
}

const std::set<std::string>& Scheduler::Avoided(const JobInfo& job) const {
  static const auto* const nothing = new std::set<std::string>;
  const auto trouble = troubles_.find(job.id);
  return trouble == troubles_.end() ? *nothing : trouble->second.avoided;
}

bool Scheduler::FitsWithout(const JobInfo& job, const std::set<std::string>& workers) const {
  const SlotIndex::Without without(&slots_, workers);
  return slots_.Capacity(job.spec.resources(), kAnyTier) >= job.spec.resources().num_ranks();
}

bool Scheduler::FitsElsewhere(const JobInfo& job) const {
  return !Avoided(job).empty() && FitsWithout(job, Avoided(job));
}

void Scheduler::RefileSoon(absl::Time now) {
  std::vector<std::string> jobs;
  for (const auto& [due, id] : later_) {
    if (due > now && !look_elsewhere_) break;
    if (due <= now || state_.jobs().at(id).failures_in_a_row <= 2) jobs.push_back(id);
  }
  look_elsewhere_ = false;
  for (const std::string& id : jobs) Refile(state_.jobs().at(id), now);
}

std::vector<Event> Scheduler::Decide(absl::Time now) {
  while (!worker_alarms_.empty() && worker_alarms_.begin()->first <= now) {
    RefreshWorker(std::string(worker_alarms_.begin()->second), now);
  }
  while (!teacher_alarms_.empty() && teacher_alarms_.begin()->first <= now) {
    RefreshTeacher(std::string(teacher_alarms_.begin()->second), now);
  }
  RefileSoon(now);
  std::vector<Event> events;
  DecideEnds(now, &events);
  DecideKept(&events);
  DecideForgotten(&events);
  if (events.empty()) DecidePlacement(&events);
  return events;
}

void Scheduler::DecideEnds(absl::Time now, std::vector<Event>* events) {
  std::vector<std::string> no_longer;  // another host has come meanwhile that may be asked
  for (const std::string& id : unsettled_) {
    if (events->size() >= kEventsPerDecision) break;
    const size_t before = events->size();
    Settle(state_.jobs().at(id), now, events);
    if (events->size() == before) no_longer.push_back(id);
  }
  for (const std::string& id : no_longer) Refile(state_.jobs().at(id), now);
}

void Scheduler::Settle(const JobInfo& job, absl::Time now, std::vector<Event>* events) const {
  if (!job.placement.empty()) {
    const std::string reason =
        job.want == WANT_CANCEL ? "a person cancelled it" : absl::StrCat(Lapse(job), " while pausing");
    events->push_back(Ended(job, GANG_END_STOPPED, reason));
    return;
  }
  if (job.want == WANT_CANCEL) {
    events->push_back(Finished(job, JOB_STATE_CANCELLED, "a person cancelled it"));
    return;
  }
  const Verdict verdict = Judge(job, now);
  if (verdict.turn == Turn::kFail) {
    const std::string others = job.failed_for_good       ? ""
                               : WorkersThatSay(job) > 1 ? " (another worker says the same)"
                                                         : " (no other worker that suits could be asked)";
    events->push_back(Finished(job, JOB_STATE_FAILED, absl::StrCat(job.reason, others)));
  } else if (verdict.turn == Turn::kPause) {
    const int failures = job.failures_in_a_row;
    const bool too_many = failures > job.spec.resources().max_restarts();
    const std::string why = too_many
                                ? absl::StrCat(failures, failures == 1 ? " generation" : " generations",
                                               " failed in a row without a new checkpoint ",
                                               "(resources.max_restarts: ", job.spec.resources().max_restarts(), "); ")
                                : "a person must mend something first; then ";
    events->push_back(Paused(job, absl::StrCat(why, GoesOn(job), "; the last failure: ", job.reason)));
  }
}

// Deletes all but the newest checkpoints. At least one stays, whatever the spec says.
void Scheduler::DecideKept(std::vector<Event>* events) const {
  for (const std::string& id : keeps_too_many_) {
    const JobInfo& job = state_.jobs().at(id);
    const size_t keep = std::max(1, job.spec.checkpoint().keep_last());
    for (size_t i = 0; i + keep < job.checkpoint_steps.size() && events->size() < kEventsPerDecision; ++i) {
      CheckpointDeleted* deleted = events->emplace_back().mutable_checkpoint_deleted();
      deleted->set_job_id(id);
      deleted->set_step(job.checkpoint_steps[i]);
    }
  }
}

void Scheduler::DecideForgotten(std::vector<Event>* events) const {
  const std::string reason = absl::StrCat("silent for more than ", absl::FormatDuration(ForgetAfter()));
  for (const std::string& id : forgettable_workers_) {
    if (events->size() >= kEventsPerDecision) return;
    WorkerForgotten* forgotten = events->emplace_back().mutable_worker_forgotten();
    forgotten->set_worker_id(id);
    forgotten->set_reason(reason);
  }
  for (const std::string& name : forgettable_teachers_) {
    if (events->size() >= kEventsPerDecision) return;
    if (needs_.count(name) > 0) continue;
    TeacherForgotten* forgotten = events->emplace_back().mutable_teacher_forgotten();
    forgotten->set_name(name);
    forgotten->set_reason(reason);
  }
}

// The first job that can be placed, or a lost gang before it. A job that only waits for slots holds up all that stand
// behind it.
void Scheduler::DecidePlacement(std::vector<Event>* events) const {
  const QueuePosition* const first = queue_.First();
  for (const QueuePosition& place : lost_) {
    if (first != nullptr && *first < place) break;
    if (Replace(state_.jobs().at(place.job_id), events)) return;
  }
  if (first == nullptr) return;
  const JobInfo& job = state_.jobs().at(first->job_id);
  const SlotIndex::Lent room(&slots_, RoomOf(job));
  const std::vector<std::string> placement = FindPlace(job, Avoided(job));
  if (!placement.empty()) events->push_back(Placed(job, placement, "placed"));
}

// A running gang whose worker fell silent is replaced where there is room, and otherwise left alone. Its own slots on
// workers that are alive count as room.
bool Scheduler::Replace(const JobInfo& job, std::vector<Event>* events) const {
  if (job.want != WANT_RUN || !MissingTeacher(job).empty()) return false;
  const SlotIndex::Lent room(&slots_, RoomOf(job));
  const std::vector<std::string> placement = FindPlace(job, Avoided(job));
  if (placement.empty()) return false;
  const std::string lapse = Lapse(job);
  events->push_back(Ended(job, GANG_END_REPLACED, lapse));
  events->push_back(Placed(job, placement, lapse));
  return true;
}

// Workers that failed this very job are taken only where the others that are alive would not do even when all are idle,
// and those that rest only where those that do not would not.
std::vector<std::string> Scheduler::FindPlace(const JobInfo& job, const std::set<std::string>& avoided) const {
  const ResourceSpec& resources = job.spec.resources();
  {
    const SlotIndex::Without without(&slots_, avoided);
    std::vector<std::string> placement = slots_.Place(resources, Tier::kBlamed);
    if (!placement.empty()) return placement;
    if (slots_.Capacity(resources, Tier::kBlamed) < resources.num_ranks()) {
      placement = slots_.Place(resources, Tier::kResting);
    }
    if (!placement.empty()) return placement;
    if (slots_.Capacity(resources, kAnyTier) >= resources.num_ranks()) return {};
  }
  return slots_.Place(resources, Tier::kResting);
}

std::string Scheduler::Lapse(const JobInfo& job) const {
  const auto gang = gangs_.find(job.id);
  std::vector<std::string> silent;
  if (gang == gangs_.end()) return "";
  for (const std::string& id : gang->second) {
    const auto heard = workers_.find(id);
    if (heard != workers_.end() && heard->second.expired) silent.push_back(id);
  }
  if (silent.empty()) return "";
  return absl::StrCat(absl::StrJoin(silent, ", "), ": lease of ", absl::FormatDuration(options_.lease), " expired");
}

}  // namespace mimeo
