// Scheduler: who was heard when, and what that makes of its slots.
#include <algorithm>
#include <iterator>

#include "absl/algorithm/container.h"
#include "coordinator/scheduler.h"

namespace mimeo {
namespace {

// Durations are compared with "longer than": this much after they have passed, they are.
constexpr absl::Duration kJustAfter = absl::Nanoseconds(1);

// An alarm that might ring before the next heartbeat, which may be late by half.
constexpr double kRingsSoonBeats = 1.5;

SlotOffer OfferOf(const WorkerIdentity& worker, int slots_busy, Tier tier) {
  SlotOffer offer;
  offer.worker_id = worker.id();
  offer.total = worker.slots();
  offer.free = worker.slots() - slots_busy;
  offer.has_cuda = absl::c_any_of(worker.devices(), [](const DeviceInfo& d) { return d.device() == DEVICE_CUDA; });
  offer.has_bfloat16 =
      !worker.devices().empty() && absl::c_all_of(worker.devices(), [](const DeviceInfo& d) { return d.bfloat16(); });
  offer.has_nvlink = absl::c_any_of(worker.devices(), [](const DeviceInfo& d) { return d.nvlink(); });
  offer.tier = tier;
  return offer;
}

}  // namespace

bool Scheduler::HearWorker(const std::string& id, absl::Time now, bool leaving) {
  Heard& heard = workers_[id];
  const bool news = !heard.ever || now - heard.at > QuietAfter() || heard.leaving != leaving;
  heard.at = now;
  heard.ever = true;
  heard.leaving = leaving;
  if (news) {
    RefreshWorker(id, now);
  } else if (heard.wake > now && heard.wake < now + kRingsSoonBeats * limits::kHeartbeatPeriod) {
    // So that who goes on beating is never due: the alarms of ten thousand workers that were heard at once would ring
    // at once, in one call.
    SetAlarm(id, NextChange(id, heard, now), &heard, &worker_alarms_);
  }
  return news;
}

bool Scheduler::HearTeacher(const std::string& name, absl::Time now) {
  Heard& heard = teachers_[name];
  const bool news = !heard.ever || now - heard.at > options_.lease;
  heard.at = now;
  heard.ever = true;
  if (news) RefreshTeacher(name, now);
  return news;
}

absl::Duration Scheduler::QuietAfter() const {
  return std::min(limits::kHeartbeatsMissed * limits::kHeartbeatPeriod, options_.lease);
}

Tier Scheduler::TierOf(const std::string& id, const Heard& heard, absl::Time now) const {
  if (!heard.ever || now - heard.at > QuietAfter()) return Tier::kAway;
  const double blame = blame_.Of(id, now);
  if (blame <= Blame::kForgotten) return Tier::kClean;
  if (blame_.RestsUntil(id) <= now) return Tier::kBlamed;
  return blame > Blame::kSeveralJobs ? Tier::kAway : Tier::kResting;
}

// If nobody says anything. In the past when nothing will.
absl::Time Scheduler::NextChange(const std::string& id, const Heard& heard, absl::Time now) const {
  absl::Time next = absl::InfiniteFuture();
  const auto consider = [&](absl::Time at) {
    if (at > now) next = std::min(next, at);
  };
  consider(heard.at + QuietAfter() + kJustAfter);
  consider(heard.at + options_.lease + kJustAfter);
  consider(heard.at + ForgetAfter() + kJustAfter);
  if (blame_.Newest(id) == nullptr) return next;
  consider(blame_.RestsUntil(id));
  consider(blame_.FallsTo(Blame::kForgotten, id, now) + kJustAfter);
  consider(blame_.FallsTo(Blame::kSeveralJobs, id, now) + kJustAfter);
  return next;
}

void Scheduler::SetAlarm(const std::string& name, absl::Time at, Heard* heard, Alarms* alarms) {
  alarms->erase({heard->wake, name});
  heard->wake = at;
  if (at != absl::InfiniteFuture()) alarms->emplace(at, name);
}

void Scheduler::RefreshWorker(const std::string& id, absl::Time now) {
  const auto worker = state_.workers().find(id);
  const auto heard = workers_.find(id);
  if (heard == workers_.end()) return;
  if (worker == state_.workers().end()) {
    if (heard->second.expired) --num_expired_;
    worker_alarms_.erase({heard->second.wake, id});
    workers_.erase(heard);
    forgettable_workers_.erase(id);
    blame_.ForgetWorker(id);
    slots_.Remove(id);
    return SetCapacities();
  }
  Heard& watch = heard->second;
  const absl::Duration silence = now - watch.at;
  const int busy = state_.SlotsBusy(id);
  if (silence > ForgetAfter() && busy == 0)
    forgettable_workers_.insert(id);
  else
    forgettable_workers_.erase(id);
  const SlotOffer* const found = slots_.Find(id);
  const SlotOffer before = found == nullptr ? SlotOffer() : *found;
  if (silence > options_.lease || MustEmpty(id)) {
    slots_.Remove(id);
    if (found != nullptr) SetCapacities();
  } else {
    const SlotOffer offer = OfferOf(worker->second.identity, busy, TierOf(id, watch, now));
    if (!(offer == before)) slots_.Set(offer);
    if (offer.total > before.total) look_elsewhere_ = true;
    // A worker that comes back may have other devices, so the comparison is of everything but what is free.
    SlotOffer same = before;
    same.free = offer.free;
    same.tier = offer.tier;
    if (!(same == offer)) SetCapacities();
  }
  SetAlarm(id, NextChange(id, watch, now), &watch, &worker_alarms_);
  const bool expired = silence > options_.lease;
  if (expired != watch.expired) SetExpired(id, expired, now);
}

void Scheduler::SetExpired(const std::string& id, bool expired, absl::Time now) {
  workers_.at(id).expired = expired;
  num_expired_ += expired ? 1 : -1;
  for (const auto& [job_id, slots] : state_.SlotsHeld(id)) Refile(state_.jobs().at(job_id), now);
}

void Scheduler::SetCapacities() {
  ResourceSpec resources;
  for (const Device device : {DEVICE_AUTO, DEVICE_CPU, DEVICE_CUDA}) {
    for (const Precision precision : {PRECISION_FP32, PRECISION_BF16}) {
      resources.set_device(device);
      resources.set_precision(precision);
      queue_.SetCapacity(device, precision, slots_.Capacity(resources, Tier::kAway));
    }
  }
}

void Scheduler::RefreshTeacher(const std::string& name, absl::Time now) {
  const auto heard = teachers_.find(name);
  if (heard == teachers_.end()) return;
  Heard& watch = heard->second;
  const absl::Duration silence = now - watch.at;
  if (state_.teachers().count(name) == 0) {
    teacher_alarms_.erase({watch.wake, name});
    forgettable_teachers_.erase(name);
    queue_.SetTeacher(name, false);
    teachers_.erase(heard);
    return;
  }
  queue_.SetTeacher(name, watch.ever && silence <= options_.lease);
  if (silence > ForgetAfter())
    forgettable_teachers_.insert(name);
  else
    forgettable_teachers_.erase(name);
  absl::Time next = absl::InfiniteFuture();
  for (const absl::Duration after : {options_.lease, ForgetAfter()}) {
    if (watch.at + after + kJustAfter > now) next = std::min(next, watch.at + after + kJustAfter);
  }
  SetAlarm(name, next, &watch, &teacher_alarms_);
}

absl::Duration Scheduler::WorkerSilence(const std::string& id, absl::Time now) const {
  const auto heard = workers_.find(id);
  return heard == workers_.end() ? absl::ZeroDuration() : now - heard->second.at;
}

absl::Duration Scheduler::TeacherSilence(const std::string& name, absl::Time now) const {
  const auto heard = teachers_.find(name);
  return heard == teachers_.end() ? absl::ZeroDuration() : now - heard->second.at;
}

bool Scheduler::WasHeard(const std::string& worker_id) const {
  const auto heard = workers_.find(worker_id);
  return heard != workers_.end() && heard->second.ever;
}

size_t Scheduler::WorkersDueForTest(absl::Time now) const {
  return static_cast<size_t>(std::distance(worker_alarms_.begin(), worker_alarms_.lower_bound({now + kJustAfter, ""})));
}

bool Scheduler::IsLeaving(const std::string& worker_id) const {
  const auto heard = workers_.find(worker_id);
  return heard != workers_.end() && heard->second.leaving;
}

bool Scheduler::IsOffered(const std::string& worker_id, absl::Time now) const {
  const auto heard = workers_.find(worker_id);
  return heard != workers_.end() && !MustEmpty(worker_id) && TierOf(worker_id, heard->second, now) != Tier::kAway;
}

}  // namespace mimeo
