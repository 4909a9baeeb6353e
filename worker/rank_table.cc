#include "worker/rank_table.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

namespace mimeo {
namespace {

using Kind = RankAction::Kind;

bool IsFinalPhase(RankPhase phase) {
  return phase == RANK_PHASE_COMPLETED || phase == RANK_PHASE_STOPPED || phase == RANK_PHASE_FAILED;
}

void SetEnd(RankPhase phase, const absl::Status& error, RankStatus* status) {
  status->set_phase(phase);
  status->set_status_code(static_cast<int>(error.code()));
  status->set_message(std::string(error.message()));
  status->clear_waiting_for();
}

}  // namespace

RankKey KeyOf(const GangAssignment& assignment) {
  return {assignment.job_id(), assignment.generation(), assignment.rank()};
}

RankKey KeyOf(const RankStatus& status) { return {status.job_id(), status.generation(), status.rank()}; }

std::string ToString(const RankKey& key) { return absl::StrCat(key.job_id, "-g", key.generation, "-r", key.rank); }

void RankTable::Assign(const std::vector<GangAssignment>& assignments) {
  std::set<RankKey> named;
  for (const GangAssignment& assignment : assignments) {
    const RankKey key = KeyOf(assignment);
    named.insert(key);
    auto [it, is_new] = entries_.try_emplace(key);
    it->second.assignment = assignment;
    it->second.named = true;
    if (!is_new) continue;
    RankStatus& status = it->second.status;
    status.set_job_id(key.job_id);
    status.set_generation(key.generation);
    status.set_rank(key.rank);
    status.set_phase(RANK_PHASE_STARTING);
  }
  for (auto& [key, entry] : entries_) {
    if (named.count(key) == 0) entry.named = false;
  }
}

void RankTable::Shutdown() { shutdown_ = true; }

std::vector<RankAction> RankTable::Reconcile(absl::Time now) {
  ForgetSleep(now);
  std::vector<RankAction> actions;
  for (auto it = entries_.begin(); it != entries_.end();) {
    auto& [key, entry] = *it;
    if (entry.state == State::kRunning) ReconcileRunning(key, now, &entry, &actions);
    if (entry.state == State::kWaiting && entry.named) ReconcileWaiting(key, &entry, &actions);
    const bool over = entry.state == State::kEnded || entry.state == State::kWaiting;
    if (over && !entry.named) {
      actions.push_back({Kind::kForget, key, -1, "", false});
      it = entries_.erase(it);
    } else {
      ++it;
    }
  }
  return actions;
}

// After a pause of this very process (a suspended laptop, SIGSTOP) everybody looks silent for as long: that is no hang.
void RankTable::ForgetSleep(absl::Time now) {
  const absl::Duration slept = now - reconciled_;
  const bool first = reconciled_ == absl::InfinitePast();
  reconciled_ = now;
  if (first || slept < absl::Seconds(10)) return;
  for (auto& [key, entry] : entries_) {
    entry.progress += slept;
    entry.report += slept;
  }
}

void RankTable::ReconcileWaiting(const RankKey& key, Entry* entry, std::vector<RankAction>* actions) {
  if (shutdown_) return;
  if (entry->assignment.stop() != STOP_UNSPECIFIED) {  // nothing was trained yet, so there is nothing to save
    entry->state = State::kEnded;
    ++news_;
    SetEnd(RANK_PHASE_STOPPED, absl::OkStatus(), &entry->status);
    return;
  }
  entry->slot = FreeSlot();
  if (entry->slot < 0) return;
  entry->state = State::kStarting;
  actions->push_back({Kind::kStart, key, entry->slot, "", false});
}

void RankTable::ReconcileRunning(const RankKey& key, absl::Time now, Entry* entry, std::vector<RankAction>* actions) const {
  if (entry->killed) return;
  std::string reason;
  if (!entry->named) {
    reason = "its generation is no longer assigned here";
  } else if (now >= entry->deadline) {
    reason = absl::StrCat("it did not exit within ", absl::FormatDuration(options_.stop_grace));
  } else if (const absl::Status hang = HangOf(*entry, now); !hang.ok()) {
    entry->kill_reason = hang;
    reason = std::string(hang.message());
  }
  if (!reason.empty()) {
    entry->killed = true;
    actions->push_back({Kind::kKill, key, -1, reason, !entry->kill_reason.ok()});
    return;
  }
  if (entry->terminated || (!shutdown_ && entry->assignment.stop() != STOP_NOW)) return;
  entry->terminated = true;
  entry->deadline = std::min(entry->deadline, now + options_.stop_grace);
  actions->push_back({Kind::kTerminate, key, -1, shutdown_ ? "the agent stops" : "told to stop", false});
}

absl::Status RankTable::HangOf(const Entry& entry, absl::Time now) const {
  const absl::Duration patience = std::max(options_.hang_at_least, options_.hang_steps * entry.step_time);
  if (now - entry.report > patience) {
    return absl::DeadlineExceededError(
        absl::StrCat("hang: the process said nothing for ", absl::FormatDuration(now - entry.report)));
  }
  if (entry.status.phase() != RANK_PHASE_TRAINING || !entry.status.waiting_for().empty()) return absl::OkStatus();
  if (now - entry.progress <= patience) return absl::OkStatus();
  return absl::DeadlineExceededError(absl::StrCat("hang: no step after step ", entry.status.step(), " for ",
                                                  absl::FormatDuration(now - entry.progress), " (a step takes ",
                                                  absl::FormatDuration(entry.step_time), ")"));
}

int RankTable::FreeSlot() const {
  std::set<int> busy;
  for (const auto& [key, entry] : entries_) {
    if (entry.state == State::kStarting || entry.state == State::kRunning) busy.insert(entry.slot);
  }
  for (int slot = 0; slot < options_.slots; ++slot) {
    if (busy.count(slot) == 0) return slot;
  }
  return -1;
}

void RankTable::Started(const RankKey& key, pid_t pid, absl::Time now) {
  const auto it = entries_.find(key);
  if (it == entries_.end()) return;
  it->second.state = State::kRunning;
  it->second.status.set_pid(pid);
  it->second.progress = now;
  it->second.report = now;
}

void RankTable::NotStarted(const RankKey& key, const absl::Status& error) {
  const auto it = entries_.find(key);
  if (it == entries_.end()) return;
  it->second.state = State::kEnded;
  ++news_;
  SetEnd(RANK_PHASE_FAILED, error, &it->second.status);
}

bool RankTable::Reported(const RankStatus& status, absl::Time now) {
  const RankKey key = KeyOf(status);
  const auto it = entries_.find(key);
  if (it == entries_.end() || it->second.state == State::kWaiting || it->second.state == State::kEnded) return false;
  Entry& entry = it->second;
  entry.report = now;
  Measure(status, now, &entry);
  if (IsFinalPhase(status.phase())) {
    entry.last_words = status;
    entry.deadline = std::min(entry.deadline, now + options_.stop_grace);
    return true;
  }
  const bool new_phase = status.phase() != entry.status.phase();
  const bool new_teacher = status.teachers_size() != entry.status.teachers_size();
  if (new_phase || new_teacher || status.store_address() != entry.status.store_address()) ++news_;
  const int64_t pid = entry.status.pid();
  entry.status = status;
  if (pid != 0) entry.status.set_pid(pid);
  if (!status.waiting_for().empty() || !entry.assignment.gang_waits_for().empty()) ExcuseGang(key, now);
  return true;
}

void RankTable::Measure(const RankStatus& status, absl::Time now, Entry* entry) const {
  const int64_t steps = status.step() - entry->status.step();
  const bool training = entry->status.phase() == RANK_PHASE_TRAINING;
  if (steps > 0 && training) {
    const absl::Duration measured = (now - entry->progress) / steps;
    entry->step_time = entry->step_time == absl::ZeroDuration() ? measured : 0.8 * entry->step_time + 0.2 * measured;
  }
  if (steps != 0 || status.phase() != entry->status.phase()) entry->progress = now;
}

// A rank that waits holds up its whole gang: the others stand in a collective and cannot say why.
void RankTable::ExcuseGang(const RankKey& key, absl::Time now) {
  for (auto& [other, entry] : entries_) {
    if (other.job_id == key.job_id && other.generation == key.generation) entry.progress = now;
  }
}

void RankTable::Ended(const RankKey& key, const ExitStatus& exit, const std::string& log_tail) {
  const auto it = entries_.find(key);
  if (it == entries_.end()) return;
  Entry& entry = it->second;
  entry.state = State::kEnded;
  ++news_;
  const int64_t pid = entry.status.pid();
  if (IsFinalPhase(entry.last_words.phase())) {
    entry.status = entry.last_words;
    entry.status.set_pid(pid);
  } else if (!entry.kill_reason.ok()) {
    SetEnd(RANK_PHASE_FAILED, entry.kill_reason, &entry.status);
  } else if (shutdown_) {
    SetEnd(RANK_PHASE_FAILED, absl::UnavailableError("its worker was shut down"), &entry.status);
  } else if (entry.terminated) {
    SetEnd(RANK_PHASE_STOPPED, absl::OkStatus(), &entry.status);
  } else {
    const std::string how = log_tail.empty() ? exit.ToString() : absl::StrCat(exit.ToString(), "; its log ends: ", log_tail);
    const absl::StatusCode code = exit.signal != 0 ? absl::StatusCode::kUnavailable : absl::StatusCode::kInternal;
    SetEnd(RANK_PHASE_FAILED, absl::Status(code, how), &entry.status);
  }
}

std::vector<RankStatus> RankTable::Statuses() const {
  std::vector<RankStatus> statuses;
  for (const auto& [key, entry] : entries_) statuses.push_back(entry.status);
  return statuses;
}

const GangAssignment* RankTable::assignment(const RankKey& key) const {
  const auto it = entries_.find(key);
  return it == entries_.end() ? nullptr : &it->second.assignment;
}

const RankStatus* RankTable::status(const RankKey& key) const {
  const auto it = entries_.find(key);
  return it == entries_.end() ? nullptr : &it->second.status;
}

int RankTable::Live() const {
  return static_cast<int>(std::count_if(entries_.begin(), entries_.end(), [](const auto& item) {
    return item.second.state == State::kStarting || item.second.state == State::kRunning;
  }));
}

}  // namespace mimeo
