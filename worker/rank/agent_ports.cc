#include "worker/rank/agent_ports.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_join.h"
#include "base/clock.h"
#include "base/process.h"
#include "job/data_text.h"

namespace mimeo {
namespace {

constexpr absl::Duration kStopPoll = absl::Seconds(1);

}  // namespace

void AgentStatus::ReportRankStep(const RankStep& step) {
  agent_->Update([&](RankStatus* status) {
    status->set_step(step.step);
    status->set_bad_samples(step.bad_samples);
    status->set_images_per_second(step.images_per_second);
    *status->mutable_utilization() = step.utilization;
  });
}

void AgentStatus::SetData(std::vector<DataContents> data) {
  absl::MutexLock lock(&mu_);
  data_ = std::move(data);
  TellData();
}

void AgentStatus::ReportUndecodable(const std::string& field, const PassedOver& row) {
  absl::MutexLock lock(&mu_);
  for (DataContents& data : data_) {
    if (data.field() != field) continue;
    auto* const rows = data.mutable_passed_over();
    const auto known =
        std::find_if(rows->begin(), rows->end(), [&](const PassedOver& one) { return one.reason() == row.reason(); });
    *(known == rows->end() ? rows->Add() : &*known) = row;
  }
  TellData();
}

void AgentStatus::TellData() {
  std::vector<DataContents> told = data_;
  CutJobData(&told);
  agent_->Update([&](RankStatus* status) {
    status->clear_data();
    for (const DataContents& data : told) *status->add_data() = data;
  });
}

void AgentStatus::Change(const std::string& reason, bool waiting, Reasons* reasons) {
  // The link is told under the lock, so that of two changes the later one is told last.
  absl::MutexLock lock(&mu_);
  const auto found = reasons->find(reason);
  if (waiting) {
    reasons->insert(reason);
  } else if (found != reasons->end()) {
    reasons->erase(found);
  }
  std::set<std::string> all(data_reasons_.begin(), data_reasons_.end());
  all.insert(reasons_.begin(), reasons_.end());
  const bool waits_for_data = !data_reasons_.empty();
  agent_->Update([&](RankStatus* status) {
    status->set_waiting_for(absl::StrJoin(all, ", "));
    status->set_waits_for_data(waits_for_data);
  });
}

StopListener::StopListener(RankLink* agent) : agent_(agent), thread_([this] { Listen(); }) {}

StopListener::~StopListener() {
  ended_ = true;
  thread_.join();
}

void StopListener::Listen() {
  while (!wanted_ && !ended_) {
    const auto told =
        agent_->Await([this](const GangAssignment&) { return ended_.load(); }, Clock::Real()->Now() + kStopPoll);
    if (absl::IsCancelled(told.status()) || WaitForStopUntil(Clock::Real()->Now())) wanted_ = true;
  }
}

}  // namespace mimeo
