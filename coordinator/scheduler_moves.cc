// Scheduler: gangs that leave a host which does not see their data (docs/decisions/0019).
#include <algorithm>
#include <utility>

#include "absl/algorithm/container.h"
#include "coordinator/scheduler.h"

namespace mimeo {
namespace {

constexpr int kLooksAtOnce = 64;

}  // namespace

void Scheduler::HearDataWait(const JobInfo& job, const DataWait& wait) {
  if (moving_.count(job.id) > 0) return;  // it is told already, and goes even if they can be seen again
  if (wait.workers.empty() || job.placement.empty()) return ForgetDataWait(job.id);
  DataWatch& watch = data_waits_[job.id];
  const bool known = watch.wait.since == wait.since;
  watch.wait = wait;
  if (known) return;
  data_looks_.erase({watch.look, job.id});
  watch.look = MovesAt(job, wait);
  data_looks_.emplace(watch.look, job.id);
}

void Scheduler::ForgetDataWait(const std::string& job_id) {
  const auto watch = data_waits_.find(job_id);
  if (watch == data_waits_.end()) return;
  data_looks_.erase({watch->second.look, job_id});
  moving_.erase(job_id);
  data_waits_.erase(watch);
}

absl::Time Scheduler::MovesAt(const JobInfo& job, const DataWait& wait) const {
  const auto trouble = troubles_.find(job.id);
  const int moves = trouble == troubles_.end() ? 0 : trouble->second.moves;
  return wait.since + options_.data_patience + (moves == 0 ? absl::ZeroDuration() : RestartPause(moves));
}

std::vector<Scheduler::Move> Scheduler::DecideMoves(absl::Time now) {
  std::vector<Move> moves;
  for (int looks = 0; looks < kLooksAtOnce && !data_looks_.empty() && data_looks_.begin()->first <= now; ++looks) {
    const JobInfo& job = state_.jobs().at(data_looks_.begin()->second);
    DataWatch& watch = data_waits_.at(job.id);
    data_looks_.erase(data_looks_.begin());
    std::vector<std::string> placement;
    if (MayMove(job, watch.wait, now)) placement = PlaceToMoveTo(job, watch.wait);
    if (placement.empty()) {
      watch.look = now + std::min(options_.data_patience, limits::kRestartPause);
      data_looks_.emplace(watch.look, job.id);
      continue;
    }
    for (const std::string& id : placement) ++watch.kept[id];
    moving_.insert(job.id);
    moves.push_back({job.id, watch.wait.workers});
  }
  return moves;
}

// Apart from room. Of a worker that is silent its lease decides, and a gang that leaves a worker moves anyway.
bool Scheduler::MayMove(const JobInfo& job, const DataWait& wait, absl::Time now) const {
  if (job.want != WANT_RUN || !MissingTeacher(job).empty()) return false;
  if (absl::c_any_of(gangs_.at(job.id), [&](const std::string& id) { return MustEmpty(id); })) return false;
  if (absl::c_any_of(wait.workers, [&](const WorkerFailure& worker) {
        return WorkerSilence(worker.worker_id(), now) > QuietAfter();
      })) {
    return false;
  }
  const QueuePosition* const first = queue_.First();
  return first == nullptr || !(*first < PositionOf(job));
}

// Where the job would be placed once it had left. Empty: nowhere, or only where it waits now or on a worker that rests.
std::vector<std::string> Scheduler::PlaceToMoveTo(const JobInfo& job, const DataWait& wait) const {
  const SlotIndex::Lent room(&slots_, RoomOf(job));
  std::vector<std::string> placement = FindPlace(job, AvoidedAfterMove(job, wait.workers));
  const auto will_do = [&](const std::string& id) {
    return slots_.Find(id)->tier <= Tier::kBlamed &&
           absl::c_none_of(wait.workers, [&](const WorkerFailure& worker) { return worker.worker_id() == id; });
  };
  if (!absl::c_all_of(placement, will_do)) placement.clear();
  return placement;
}

std::map<std::string, int> Scheduler::RoomOf(const JobInfo& job) const {
  std::map<std::string, int> room;
  for (const std::string& id : job.placement) ++room[id];
  for (const std::string& other : moving_) {
    if (other == job.id) continue;
    for (const auto& [id, slots] : data_waits_.at(other).kept) room[id] -= slots;
  }
  return room;
}

// Once all others were tried, they are tried again: the data may be there by now.
std::set<std::string> Scheduler::AvoidedAfterMove(const JobInfo& job, const std::vector<WorkerFailure>& from) const {
  std::set<std::string> left;
  for (const WorkerFailure& worker : from) left.insert(worker.worker_id());
  std::set<std::string> avoided = Avoided(job);
  avoided.insert(left.begin(), left.end());
  return FitsWithout(job, avoided) ? avoided : left;
}

void Scheduler::NoteMove(const GangEnded& ended, absl::Time now) {
  const std::vector<WorkerFailure> from(ended.failures().begin(), ended.failures().end());
  std::set<std::string> avoided = AvoidedAfterMove(state_.jobs().at(ended.job_id()), from);
  Trouble& trouble = troubles_[ended.job_id()];
  trouble.avoided = std::move(avoided);
  ++trouble.moves;
  if (trouble.moves == 1 && from.size() == 1) return blame_.Add(ended.job_id(), from.front(), 1, now);
  // Others do not see them either: it is no host's fault.
  for (const std::string& id : blame_.ForgetJob(ended.job_id())) RefreshWorker(id, now);
}

}  // namespace mimeo
