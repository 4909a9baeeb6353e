#include "coordinator/coordinator_metrics.h"

#include <algorithm>

namespace mimeo {

void CoordinatorMetrics::State(const Counts& counts) {
  for (const auto& [state, jobs] : counts.jobs) metrics_->Set("mimeo_coordinator_jobs", jobs, {{"state", state}});
  metrics_->Set("mimeo_coordinator_workers", counts.workers);
  metrics_->Set("mimeo_coordinator_workers_silent", counts.workers_silent);
  metrics_->Set("mimeo_coordinator_slots", counts.slots);
  metrics_->Set("mimeo_coordinator_slots_busy", counts.slots_busy);
  metrics_->Set("mimeo_coordinator_teachers", counts.teachers);
}

void CoordinatorMetrics::Committed(absl::Duration took, int64_t journal_events) {
  metrics_->Observe("mimeo_coordinator_commit_seconds", absl::ToDoubleSeconds(took));
  metrics_->Set("mimeo_coordinator_journal_events", static_cast<double>(journal_events));
}

void CoordinatorMetrics::GangPlaced() { metrics_->Add("mimeo_coordinator_gangs_placed_total"); }

void CoordinatorMetrics::GangFailed() { metrics_->Add("mimeo_coordinator_gangs_failed_total"); }

void CoordinatorMetrics::CheckpointCommitted() { metrics_->Add("mimeo_coordinator_checkpoints_total"); }

void CoordinatorMetrics::ChunkReceived(int64_t bytes) {
  metrics_->Add("mimeo_coordinator_chunk_bytes_total", static_cast<double>(bytes));
}

void CoordinatorMetrics::StoreBytes(int64_t bytes) {
  metrics_->Set("mimeo_coordinator_store_bytes", static_cast<double>(bytes));
}

void CoordinatorMetrics::StoreFailed() { metrics_->Add("mimeo_coordinator_store_errors_total"); }

void CoordinatorMetrics::Fenced() { metrics_->Add("mimeo_coordinator_fenced_requests_total"); }

void CoordinatorMetrics::HeartbeatAnswered() { metrics_->Add("mimeo_coordinator_heartbeats_total"); }

void CoordinatorMetrics::RpcFailed() { metrics_->Add("mimeo_coordinator_rpc_errors_total"); }

void CoordinatorMetrics::StatusesRefused(int count) {
  metrics_->Add("mimeo_coordinator_rank_statuses_refused_total", count);
}

void CoordinatorMetrics::JobStep(const std::string& job_id, int64_t step) {
  metrics_->Set("mimeo_coordinator_job_step", static_cast<double>(step), {{"job", job_id}});
}

void CoordinatorMetrics::StepsReported(const std::string& job_id, const std::vector<StepMetrics>& steps) {
  metrics_->Add("mimeo_coordinator_steps_reported_total", static_cast<double>(steps.size()));
  std::map<std::string, double> terms, stats;
  for (const StepMetrics& step : steps) {
    for (const auto& [objective, loss] : step.terms()) terms[objective] = loss;
    for (const auto& [stat, value] : step.stats()) stats[stat] = value;
  }
  for (const auto& [objective, loss] : terms) {
    metrics_->Set("mimeo_coordinator_job_loss_term", loss, {{"job", job_id}, {"objective", objective}});
  }
  for (const auto& [stat, value] : stats) {
    metrics_->Set("mimeo_coordinator_job_stat", value, {{"job", job_id}, {"stat", stat}});
  }
}

void CoordinatorMetrics::JobEnded(const std::string& job_id) {
  constexpr size_t kEndedShown = 20;
  absl::MutexLock lock(&mu_);
  ended_.push_back(job_id);
  if (ended_.size() <= kEndedShown) return;
  metrics_->Forget("job", ended_.front());
  ended_.pop_front();
}

void CoordinatorMetrics::JobDeleted(const std::string& job_id) {
  JobGoesOn(job_id);
  metrics_->Forget("job", job_id);
}

void CoordinatorMetrics::JobGoesOn(const std::string& job_id) {
  absl::MutexLock lock(&mu_);
  ended_.erase(std::remove(ended_.begin(), ended_.end(), job_id), ended_.end());
}

}  // namespace mimeo
