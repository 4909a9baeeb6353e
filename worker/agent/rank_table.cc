#include "worker/agent/rank_table.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/text.h"
#include "google/protobuf/util/time_util.h"

namespace mimeo {
namespace {

using Kind = RankAction::Kind;

constexpr double kGrowth = 4;         // patience over the longest quiet time that was measured
constexpr double kMostPatience = 10;  // over the option, of a rank that computes or stands in a collective
constexpr double kLaunchPatience = 3;
// A rank that waits for a disk uses far less of a core, for its reports; one that computes on a crowded machine still
// more.
constexpr double kComputingCores = 0.05;
constexpr absl::Duration kCpuWindow = absl::Seconds(5);

bool IsFinalPhase(RankPhase phase) {
  return phase == RANK_PHASE_COMPLETED || phase == RANK_PHASE_STOPPED || phase == RANK_PHASE_FAILED;
}

void SetEnd(RankPhase phase, const absl::Status& error, RankStatus* status) {
  status->set_phase(phase);
  status->set_status_code(static_cast<int>(error.code()));
  status->set_message(ToLines(error.message()));
  status->clear_waiting_for();
  status->clear_waits_for_data();
  status->clear_doing();
}

google::protobuf::Duration ToProto(absl::Duration duration) {
  return google::protobuf::util::TimeUtil::MillisecondsToDuration(absl::ToInt64Milliseconds(duration));
}

// For people.
std::string Rounded(absl::Duration duration) {
  return absl::FormatDuration(
      absl::Trunc(duration, duration < absl::Seconds(10) ? absl::Milliseconds(100) : absl::Seconds(1)));
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
    status.set_doing("waits for a slot of its worker");
  }
  for (auto& [key, entry] : entries_) {
    if (named.count(key) == 0) entry.named = false;
  }
  if (mode_ == Mode::kLeaving) StopAfterCheckpoint();
}

void RankTable::StopAfterCheckpoint() {
  if (mode_ == Mode::kServing) ++news_;
  mode_ = std::max(mode_, Mode::kLeaving);
  for (auto& [key, entry] : entries_) {
    if (entry.assignment.stop() == STOP_UNSPECIFIED) entry.assignment.set_stop(STOP_AFTER_CHECKPOINT);
  }
}

void RankTable::Shutdown() { mode_ = Mode::kShutDown; }

std::vector<RankAction> RankTable::Reconcile(absl::Time now) {
  ForgetSleep(now);
  std::vector<RankAction> actions;
  for (auto it = entries_.begin(); it != entries_.end();) {
    auto& [key, entry] = *it;
    if (entry.state == State::kRunning) ReconcileRunning(key, now, &entry, &actions);
    if (entry.state == State::kWaiting && entry.named) ReconcileWaiting(key, now, &entry, &actions);
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
    for (absl::Time* since : {&entry.waiting, &entry.deadline, &entry.report, &entry.moved, &entry.step_began,
                              &entry.computed, &entry.cpu_seen, &entry.killed}) {
      *since += slept;
    }
  }
}

void RankTable::ReconcileWaiting(const RankKey& key, absl::Time now, Entry* entry, std::vector<RankAction>* actions) {
  if (entry->assignment.stop() != STOP_UNSPECIFIED ||
      mode_ != Mode::kServing) {  // nothing was trained yet, so there is nothing to save
    entry->state = State::kEnded;
    ++news_;
    SetEnd(RANK_PHASE_STOPPED, absl::OkStatus(), &entry->status);
    return;
  }
  entry->waiting = std::min(entry->waiting, now);
  entry->slot = FreeSlot();
  if (entry->slot >= 0) {
    entry->state = State::kStarting;
    entry->status.clear_doing();
    actions->push_back({Kind::kStart, key, entry->slot, "", false});
  } else if (now - entry->waiting > options_.patience) {
    NotStarted(key,
               absl::UnavailableError(absl::StrCat("no slot of its worker became free within ",
                                                   Rounded(options_.patience), "; they are held by ", SlotHolders())));
  }
}

void RankTable::ReconcileRunning(const RankKey& key, absl::Time now, Entry* entry, std::vector<RankAction>* actions) {
  if (entry->killed != absl::InfiniteFuture()) return GiveUp(now, entry);
  std::string reason;
  if (!entry->named) {
    reason = "its generation is no longer assigned here";
  } else if (mode_ == Mode::kShutDown || entry->assignment.stop() == STOP_NOW) {
    entry->stopped = true;
    reason = mode_ == Mode::kShutDown ? "the agent stops" : "told to stop now";
  } else if (NothingToSave(*entry)) {
    entry->stopped = true;
    reason = "told to stop before its first step";
  } else if (now >= entry->deadline) {
    reason = absl::StrCat("it did not exit within ", absl::FormatDuration(options_.exit_grace));
  } else if (const absl::Status hang = HangOf(*entry, now); !hang.ok()) {
    entry->kill_reason = hang;
    reason = std::string(hang.message());
  }
  if (reason.empty()) return;
  entry->killed = now;
  actions->push_back({Kind::kKill, key, -1, reason, !entry->kill_reason.ok()});
}

// Of a rank that is told to take a checkpoint: it has not begun, and no other rank waits for it. Listing a million
// images, or hanging in a dead mount, it would not hear for long.
bool RankTable::NothingToSave(const Entry& entry) {
  return entry.assignment.stop() != STOP_UNSPECIFIED && entry.assignment.num_ranks() == 1 &&
         entry.status.phase() == RANK_PHASE_STARTING;
}

// A process in the kernel, behind a dead disk, outlives SIGKILL. Its gang must not wait for it.
void RankTable::GiveUp(absl::Time now, Entry* entry) {
  if (entry->undead || now - entry->killed <= options_.exit_grace) return;
  entry->undead = true;
  ++news_;
  const std::string how = "its process does not die of SIGKILL and keeps its slot";
  if (!entry->kill_reason.ok()) {
    entry->kill_reason = absl::Status(entry->kill_reason.code(), absl::StrCat(entry->kill_reason.message(), "; ", how));
  }
  SetDeath(how, absl::StatusCode::kInternal, entry);
}

absl::Duration RankTable::Patience(const Entry& entry) const {
  const auto measured = entry.longest_quiet.find({entry.status.phase(), entry.in_collective});
  const absl::Duration longest = measured == entry.longest_quiet.end() ? absl::ZeroDuration() : measured->second;
  const absl::Duration patience = std::max(options_.patience, kGrowth * longest);
  const absl::Duration most = kMostPatience * options_.patience;
  if (entry.in_collective) return std::max({patience, most, kGrowth * (entry.moved - entry.step_began)});
  return std::max(patience, std::min(most, options_.patience + (entry.computed - entry.moved)));
}

absl::Status RankTable::HangOf(const Entry& entry, absl::Time now) const {
  const absl::Duration silence = now - entry.report;
  if (!entry.heard && silence > kLaunchPatience * options_.patience) {
    return absl::DeadlineExceededError(
        absl::StrCat("hang: the process said nothing since it was started ", Rounded(silence), " ago"));
  }
  if (entry.heard && silence > std::max(options_.patience, kGrowth * entry.longest_silence)) {
    return absl::DeadlineExceededError(absl::StrCat("hang: the process said nothing for ", Rounded(silence)));
  }
  const absl::Duration quiet = now - entry.moved;
  const absl::Duration patience = Patience(entry);
  if (!entry.heard || IsFinalPhase(entry.last_words.phase()) || quiet <= patience) return absl::OkStatus();
  const std::string& doing = entry.status.doing();
  return absl::DeadlineExceededError(absl::StrCat(
      "hang: quiet for ", Rounded(quiet), " (patience ", Rounded(patience), ") at step ", entry.status.step(),
      entry.in_collective ? ", in a collective" : "", doing.empty() ? "" : "; doing: ", doing));
}

// It waits in a collective for another rank of this table, which moves, or is killed and ends the gang.
bool RankTable::WaitsForRankHere(const RankKey& key, const Entry& entry) const {
  if (!entry.in_collective) return false;
  return std::any_of(entries_.begin(), entries_.end(), [&](const auto& item) {
    const auto& [other, of_other] = item;
    return other.job_id == key.job_id && other.generation == key.generation && of_other.state == State::kRunning &&
           !of_other.in_collective && of_other.killed == absl::InfiniteFuture();
  });
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

std::string RankTable::SlotHolders() const {
  std::vector<std::string> holders;
  for (const auto& [key, entry] : entries_) {
    if (entry.state != State::kRunning) continue;
    holders.push_back(absl::StrCat(ToString(key), " (pid ", entry.status.pid(),
                                   entry.undead ? ", which does not die of SIGKILL)" : ")"));
  }
  return absl::StrJoin(holders, ", ");
}

void RankTable::Started(const RankKey& key, pid_t pid, absl::Time now) {
  const auto it = entries_.find(key);
  if (it == entries_.end()) return;
  Entry& entry = it->second;
  entry.state = State::kRunning;
  entry.status.set_pid(pid);
  entry.status.set_doing("loads its program");
  entry.report = entry.moved = entry.step_began = entry.computed = entry.cpu_seen = now;
}

void RankTable::NotStarted(const RankKey& key, const absl::Status& error) {
  const auto it = entries_.find(key);
  if (it == entries_.end()) return;
  it->second.state = State::kEnded;
  ++news_;
  SetEnd(RANK_PHASE_FAILED, error, &it->second.status);
}

bool RankTable::Reported(const ReportRankRequest& report, absl::Time now) {
  const RankStatus& status = report.status();
  const RankKey key = KeyOf(status);
  const auto it = entries_.find(key);
  if (it == entries_.end() || it->second.state == State::kWaiting || it->second.state == State::kEnded ||
      it->second.undead) {
    return false;
  }
  Entry& entry = it->second;
  Move(status, now, &entry);
  SeeCpu(absl::Seconds(report.cpu_seconds()), now, &entry);
  entry.in_collective = report.in_collective();
  entry.report = now;
  entry.heard = true;
  if (IsFinalPhase(status.phase())) {
    entry.last_words = status;
    entry.deadline = std::min(entry.deadline, now + options_.exit_grace);
    return true;
  }
  const bool new_phase = status.phase() != entry.status.phase();
  const bool new_teacher = status.teachers_size() != entry.status.teachers_size();
  if (new_phase || new_teacher || status.store_address() != entry.status.store_address()) ++news_;
  const int64_t pid = entry.status.pid();
  entry.status = status;
  if (pid != 0) entry.status.set_pid(pid);
  if (!status.waiting_for().empty() || !entry.assignment.gang_waits_for().empty()) ExcuseGang(key, now);
  if (WaitsForRankHere(key, entry)) Excuse(now, &entry);
  return true;
}

void RankTable::Move(const RankStatus& status, absl::Time now, Entry* entry) const {
  const RankStatus& before = entry->status;
  const bool stepped = status.step() != before.step() || status.phase() != before.phase();
  if (entry->heard) entry->longest_silence = std::max(entry->longest_silence, now - entry->report);
  if (!entry->heard || stepped || status.progress() != before.progress()) {
    if (entry->heard) {
      absl::Duration& longest = entry->longest_quiet[{before.phase(), entry->in_collective}];
      longest = std::max(longest, now - entry->moved);
    }
    entry->moved = now;
  }
  if (stepped) entry->step_began = now;
}

void RankTable::SeeCpu(absl::Duration cpu, absl::Time now, Entry* entry) const {
  const absl::Duration passed = now - entry->cpu_seen;
  if (entry->heard && passed < std::min(kCpuWindow, options_.patience / 10)) return;
  if (entry->heard && cpu - entry->cpu >= kComputingCores * passed) entry->computed = now;
  entry->cpu_seen = now;
  entry->cpu = cpu;
}

// A rank that waits holds up its whole gang: the others stand in a collective and cannot say why.
void RankTable::ExcuseGang(const RankKey& key, absl::Time now) {
  for (auto& [other, entry] : entries_) {
    if (other.job_id == key.job_id && other.generation == key.generation) Excuse(now, &entry);
  }
}

// The time since it last moved is neither quiet nor its own part of the step.
void RankTable::Excuse(absl::Time now, Entry* entry) {
  entry->step_began += now - entry->moved;
  entry->moved = now;
}

void RankTable::Ended(const RankKey& key, const ExitStatus& exit, const std::string& log_tail) {
  const auto it = entries_.find(key);
  if (it == entries_.end()) return;
  Entry& entry = it->second;
  entry.state = State::kEnded;
  ++news_;
  if (entry.undead) return;  // how it ended was said
  const std::string how =
      log_tail.empty() ? exit.ToString() : absl::StrCat(exit.ToString(), "; its log ends: ", log_tail);
  SetDeath(how, exit.signal != 0 ? absl::StatusCode::kUnavailable : absl::StatusCode::kInternal, &entry);
}

void RankTable::SetDeath(const std::string& how, absl::StatusCode code, Entry* entry) const {
  const int64_t pid = entry->status.pid();
  if (IsFinalPhase(entry->last_words.phase())) {
    entry->status = entry->last_words;
    entry->status.set_pid(pid);
    entry->status.clear_doing();
  } else if (!entry->kill_reason.ok()) {
    SetEnd(RANK_PHASE_FAILED, entry->kill_reason, &entry->status);
  } else if (entry->stopped) {
    const bool trained = entry->status.phase() == RANK_PHASE_TRAINING;
    SetEnd(RANK_PHASE_STOPPED, absl::OkStatus(), &entry->status);
    if (trained && mode_ == Mode::kShutDown) {
      entry->status.set_message("its worker stopped before it had a checkpoint of its last step");
    }
  } else {
    SetEnd(RANK_PHASE_FAILED, absl::Status(code, how), &entry->status);
  }
}

std::vector<RankStatus> RankTable::Statuses(absl::Time now) const {
  std::vector<RankStatus> statuses;
  for (const auto& [key, entry] : entries_) {
    RankStatus& status = statuses.emplace_back(entry.status);
    if (IsFinalPhase(status.phase())) continue;
    const bool waiting = entry.state == State::kWaiting;
    const absl::Duration quiet = waiting ? now - std::min(entry.waiting, now) : now - entry.moved;
    *status.mutable_quiet() = ToProto(std::max(quiet, absl::ZeroDuration()));
    const absl::Duration loading = kLaunchPatience * options_.patience;
    *status.mutable_patience() = ToProto(waiting ? options_.patience : entry.heard ? Patience(entry) : loading);
  }
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

bool RankTable::Idle() const {
  return std::all_of(entries_.begin(), entries_.end(),
                     [](const auto& item) { return item.second.state == State::kEnded || item.second.undead; });
}

}  // namespace mimeo
