#include "coordinator/blame.h"

#include <algorithm>
#include <cmath>

#include "base/limits.h"

namespace mimeo {
namespace {

constexpr size_t kJobsRemembered = 16;  // of each worker

double WeightAt(const Blame::Failure& failure, absl::Time now) {
  return failure.weight *
         std::exp2(-absl::FDivDuration(std::max(now - failure.at, absl::ZeroDuration()), limits::kBlameHalfLife));
}

}  // namespace

absl::Duration RestartPause(double failures) {
  return std::min(limits::kRestartPause * std::exp2(std::min(failures, 32.0) - 1), limits::kRestartPauseMax);
}

void Blame::Add(const std::string& job_id, const WorkerFailure& failure, double weight, absl::Time now) {
  std::map<std::string, Failure>& jobs = by_worker_[failure.worker_id()];
  jobs[job_id] = {now, weight, failure};
  if (jobs.size() <= kJobsRemembered) return;
  jobs.erase(std::min_element(jobs.begin(), jobs.end(),
                              [](const auto& a, const auto& b) { return a.second.at < b.second.at; }));
}

std::set<std::string> Blame::ForgetJob(const std::string& job_id) {
  std::set<std::string> workers;
  for (auto worker = by_worker_.begin(); worker != by_worker_.end();) {
    if (worker->second.erase(job_id) > 0) workers.insert(worker->first);
    worker = worker->second.empty() ? by_worker_.erase(worker) : std::next(worker);
  }
  return workers;
}

double Blame::Of(const std::string& worker_id, absl::Time now) const {
  const auto worker = by_worker_.find(worker_id);
  double sum = 0;
  if (worker == by_worker_.end()) return sum;
  for (const auto& [job, failure] : worker->second) sum += WeightAt(failure, now);
  return sum;
}

const Blame::Failure* Blame::Newest(const std::string& worker_id) const {
  const auto worker = by_worker_.find(worker_id);
  if (worker == by_worker_.end()) return nullptr;
  return &std::max_element(worker->second.begin(), worker->second.end(), [](const auto& a, const auto& b) {
            return a.second.at < b.second.at;
          })->second;
}

absl::Time Blame::RestsUntil(const std::string& worker_id) const {
  const Failure* const newest = Newest(worker_id);
  if (newest == nullptr) return absl::InfinitePast();
  const double then = Of(worker_id, newest->at);
  return then < kForgotten ? absl::InfinitePast() : newest->at + RestartPause(std::max(then, 1.0));
}

absl::Time Blame::FallsTo(double weight, const std::string& worker_id, absl::Time now) const {
  const double of_now = Of(worker_id, now);
  return of_now <= weight ? absl::InfinitePast() : now + limits::kBlameHalfLife * std::log2(of_now / weight);
}

}  // namespace mimeo
