#include "coordinator/scheduler.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "coordinator/placement.h"
#include "job/job_shape.h"

namespace mimeo {
namespace {

constexpr int kWorkersNamed = 8;  // in one reason

std::vector<const JobInfo*> QueueOrder(const ClusterState& state) {
  std::vector<const JobInfo*> jobs;
  for (const auto& [id, job] : state.jobs()) {
    if (!IsFinal(job.state)) jobs.push_back(&job);
  }
  absl::c_sort(jobs, [](const JobInfo* a, const JobInfo* b) {
    return std::make_tuple(-int64_t{a->spec.resources().priority()}, a->sequence) <
           std::make_tuple(-int64_t{b->spec.resources().priority()}, b->sequence);
  });
  return jobs;
}

SlotOffer OfferOf(const WorkerIdentity& worker, int slots_busy) {
  SlotOffer offer;
  offer.worker_id = worker.id();
  offer.total = worker.slots();
  offer.free = worker.slots() - slots_busy;
  offer.has_cuda = absl::c_any_of(worker.devices(), [](const DeviceInfo& d) { return d.device() == DEVICE_CUDA; });
  offer.has_bfloat16 = !worker.devices().empty() && absl::c_all_of(worker.devices(), [](const DeviceInfo& d) { return d.bfloat16(); });
  offer.has_nvlink = absl::c_any_of(worker.devices(), [](const DeviceInfo& d) { return d.nvlink(); });
  return offer;
}

std::string WorkersText(const std::vector<std::string>& placement) {
  return absl::StrJoin(std::set<std::string>(placement.begin(), placement.end()), ", ");
}

// "j3 holds 2" for every gang with slots on the worker.
std::string HoldersText(const ClusterState& state, const std::string& worker_id) {
  std::vector<std::string> holders;
  for (const auto& [job, slots] : state.SlotsHeld(worker_id)) holders.push_back(absl::StrCat(job, " holds ", slots));
  return absl::StrJoin(holders, ", ");
}

// One round of decisions, over the queue.
class Round {
 public:
  Round(const ClusterState& state, const Liveness& liveness, absl::Time now, const SchedulerOptions& options)
      : state_(state), liveness_(liveness), now_(now), options_(options) {
    for (const auto& [id, worker] : state.workers()) {
      if (!Heard(liveness.worker_heard, id)) continue;
      offers_.push_back(OfferOf(worker.identity, state.SlotsBusy(id)));
    }
  }

  Decision Run() {
    for (const JobInfo* job : QueueOrder(state_)) {
      decision_.reasons[job->id] = job->placement.empty() ? VisitIdle(*job) : VisitRunning(*job);
    }
    Retain();
    Forget();
    return std::move(decision_);
  }

 private:
  // Heard by this coordinator, within the lease: fit to be given something new.
  bool Heard(const std::map<std::string, absl::Time>& heard, const std::string& name) const {
    const auto found = heard.find(name);
    return found != heard.end() && now_ - found->second <= options_.lease;
  }

  absl::Duration WorkerSilence(const std::string& id) const {
    return SilentFor(liveness_.worker_heard, id, liveness_.since, now_);
  }

  std::string Finish(const JobInfo& job, JobState state, std::string reason) {
    JobFinished* finished = decision_.events.emplace_back().mutable_job_finished();
    finished->set_job_id(job.id);
    finished->set_state(state);
    finished->set_reason(reason);
    if (state == JOB_STATE_FAILED) finished->set_status_code(job.status_code);
    return reason;
  }

  std::string VisitIdle(const JobInfo& job) {
    if (job.want == WANT_CANCEL) return Finish(job, JOB_STATE_CANCELLED, "a person cancelled it");
    if (job.failed_for_good) return Finish(job, JOB_STATE_FAILED, job.reason);
    const int max_restarts = job.spec.resources().max_restarts();
    if (job.failures_in_a_row > max_restarts) {
      return Finish(job, JOB_STATE_FAILED,
                    absl::StrCat(job.failures_in_a_row, " generations failed in a row without a new checkpoint ",
                                 "(resources.max_restarts: ", max_restarts, "); the last: ", job.reason));
    }
    if (job.state == JOB_STATE_PAUSED) return "paused by a person, until it is resumed";
    const std::string teacher = MissingTeacher(job);
    if (!teacher.empty()) return teacher;
    return PlaceOrWait(job, offers_, "placed");
  }

  std::string MissingTeacher(const JobInfo& job) const {
    for (const std::string& name : TeacherNames(job.spec)) {
      if (state_.teachers().count(name) == 0) return absl::StrCat("waits for teacher \"", name, "\": not registered");
      if (Heard(liveness_.teacher_heard, name)) continue;
      return absl::StrCat("waits for teacher \"", name, "\": not heard of within the lease of ",
                          absl::FormatDuration(options_.lease));
    }
    return "";
  }

  // A running gang whose worker fell silent is replaced where there is room, and otherwise left alone.
  std::string VisitRunning(const JobInfo& job) {
    if (job.want == WANT_CANCEL) return End(job, GANG_END_STOPPED, "a person cancelled it");
    std::vector<std::string> silent;
    for (const std::string& id : std::set<std::string>(job.placement.begin(), job.placement.end())) {
      if (WorkerSilence(id) > options_.lease) silent.push_back(id);
    }
    const std::string where = absl::StrCat("generation ", job.generation, " runs on ", WorkersText(job.placement));
    if (silent.empty()) return job.want == WANT_PAUSE ? absl::StrCat(where, ", until its checkpoint") : where;
    const std::string lapse =
        absl::StrCat(absl::StrJoin(silent, ", "), ": lease of ", absl::FormatDuration(options_.lease), " expired");
    if (job.want == WANT_PAUSE) return End(job, GANG_END_STOPPED, absl::StrCat(lapse, " while pausing"));
    std::vector<SlotOffer> offers = offers_;
    for (SlotOffer& offer : offers) offer.free += absl::c_count(job.placement, offer.worker_id);
    const std::string teacher = MissingTeacher(job);
    if (teacher.empty() && holder_.empty() && !PlaceGang(job.spec.resources(), offers).empty()) {
      End(job, GANG_END_REPLACED, lapse);
      offers_ = offers;
      return PlaceOrWait(job, offers_, lapse);
    }
    return absl::StrCat(lapse, "; ", job.id, " keeps generation ", job.generation, ": ",
                        teacher.empty() ? WaitingReason(job, offers) : teacher);
  }

  std::string End(const JobInfo& job, GangEnd end, std::string reason) {
    GangEnded* ended = decision_.events.emplace_back().mutable_gang_ended();
    ended->set_job_id(job.id);
    ended->set_generation(job.generation);
    ended->set_end(end);
    ended->set_reason(reason);
    return reason;
  }

  std::string PlaceOrWait(const JobInfo& job, const std::vector<SlotOffer>& offers, absl::string_view why) {
    const std::vector<std::string> placement =
        holder_.empty() ? PlaceGang(job.spec.resources(), offers) : std::vector<std::string>();
    if (placement.empty()) {
      const std::string reason = WaitingReason(job, offers);
      if (holder_.empty() && FitsWhenIdle(job.spec.resources(), offers)) holder_ = job.id;
      return reason;
    }
    for (SlotOffer& offer : offers_) offer.free -= absl::c_count(placement, offer.worker_id);
    GangPlaced* placed = decision_.events.emplace_back().mutable_gang_placed();
    placed->set_job_id(job.id);
    placed->set_generation(job.generation + 1);
    for (const std::string& id : placement) placed->add_worker_ids(id);
    placed->set_resume_step(job.checkpoint_steps.empty() ? 0 : job.checkpoint_steps.back());
    placed->set_reason(absl::StrCat(why, " on ", WorkersText(placement)));
    return absl::StrCat("generation ", job.generation + 1, " runs on ", WorkersText(placement));
  }

  // What it needs, what there is, and who is before it.
  std::string WaitingReason(const JobInfo& job, const std::vector<SlotOffer>& offers) const {
    const ResourceSpec& resources = job.spec.resources();
    if (!holder_.empty()) {
      return absl::StrCat("waits behind ", holder_, ", which waits for slots (priority ",
                          state_.jobs().at(holder_).spec.resources().priority(), ", submitted as number ",
                          state_.jobs().at(holder_).sequence, ")");
    }
    std::vector<std::string> free;
    for (const SlotOffer& offer : offers) {
      if (!Suits(resources, offer)) continue;
      const std::string holders = HoldersText(state_, offer.worker_id);
      free.push_back(absl::StrCat(offer.worker_id, " ", offer.free, " of ", offer.total,
                                  holders.empty() ? "" : absl::StrCat(" (", holders, ")")));
    }
    const int unnamed = static_cast<int>(free.size()) - kWorkersNamed;
    if (unnamed > 0) {
      free.resize(kWorkersNamed);
      free.push_back(absl::StrCat(unnamed, " more"));
    }
    const std::string needs =
        absl::StrCat("needs ", resources.num_ranks(), resources.num_ranks() == 1 ? " slot" : " slots", " on ",
                     WorkersWanted(resources), "; ");
    if (free.empty()) return absl::StrCat(needs, "no ", WorkersWanted(resources), " are heard of");
    return absl::StrCat(needs, "free: ", absl::StrJoin(free, ", "),
                        FitsWhenIdle(resources, offers) ? "" : "; too few even when all are idle");
  }

  // Deletes all but the newest checkpoints. At least one stays, whatever the spec says.
  void Retain() {
    for (const auto& [id, job] : state_.jobs()) {
      const size_t keep = std::max(1, job.spec.checkpoint().keep_last());
      for (size_t i = 0; i + keep < job.checkpoint_steps.size(); ++i) {
        CheckpointDeleted* deleted = decision_.events.emplace_back().mutable_checkpoint_deleted();
        deleted->set_job_id(id);
        deleted->set_step(job.checkpoint_steps[i]);
      }
    }
  }

  void Forget() {
    const absl::Duration limit = options_.lease * options_.forget_after_leases;
    const std::string reason = absl::StrCat("silent for more than ", absl::FormatDuration(limit));
    for (const auto& [id, worker] : state_.workers()) {
      if (state_.SlotsBusy(id) > 0 || WorkerSilence(id) <= limit) continue;
      WorkerForgotten* forgotten = decision_.events.emplace_back().mutable_worker_forgotten();
      forgotten->set_worker_id(id);
      forgotten->set_reason(reason);
    }
    std::set<std::string> needed;
    for (const auto& [id, job] : state_.jobs()) {
      if (IsFinal(job.state)) continue;
      for (const std::string& name : TeacherNames(job.spec)) needed.insert(name);
    }
    for (const auto& [name, teacher] : state_.teachers()) {
      if (needed.count(name) > 0 || SilentFor(liveness_.teacher_heard, name, liveness_.since, now_) <= limit) continue;
      TeacherForgotten* forgotten = decision_.events.emplace_back().mutable_teacher_forgotten();
      forgotten->set_name(name);
      forgotten->set_reason(reason);
    }
  }

  const ClusterState& state_;
  const Liveness& liveness_;
  const absl::Time now_;
  const SchedulerOptions& options_;
  std::vector<SlotOffer> offers_;  // what is left in this round, of the workers heard within the lease
  std::string holder_;             // the first job that waits for slots: nothing behind it is placed
  Decision decision_;
};

}  // namespace

absl::Duration SilentFor(const std::map<std::string, absl::Time>& heard, const std::string& name, absl::Time since,
                         absl::Time now) {
  const auto found = heard.find(name);
  return now - (found == heard.end() ? since : std::max(since, found->second));
}

Decision Decide(const ClusterState& state, const Liveness& liveness, absl::Time now, const SchedulerOptions& options) {
  return Round(state, liveness, now, options).Run();
}

std::vector<std::string> Explain(const ClusterState& state, const Liveness& liveness, absl::Time now,
                                 const SchedulerOptions& options, const std::string& job_id) {
  const auto found = state.jobs().find(job_id);
  if (found == state.jobs().end()) return {};
  const JobInfo& job = found->second;
  if (IsFinal(job.state)) return {job.reason};
  std::vector<std::string> reasons = {Decide(state, liveness, now, options).reasons.at(job_id)};
  if (job.failures_in_a_row > 0) {
    reasons.push_back(absl::StrCat(job.failures_in_a_row, " of ", job.spec.resources().max_restarts(),
                                   " restarts without a new checkpoint were used"));
  }
  int named = 0;
  for (const auto& [id, worker] : state.workers()) {
    const absl::Duration silent = SilentFor(liveness.worker_heard, id, liveness.since, now);
    if (silent <= options.lease || ++named > kWorkersNamed) continue;
    reasons.push_back(absl::StrCat(id, ": lease expired (silent ",
                                   absl::FormatDuration(absl::Trunc(silent, absl::Seconds(1))), ", lease ",
                                   absl::FormatDuration(options.lease), ")"));
  }
  if (job.reason != reasons.front()) reasons.push_back(absl::StrCat("newest change: ", job.reason));
  return reasons;
}

}  // namespace mimeo
