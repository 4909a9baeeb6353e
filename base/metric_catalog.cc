#include "base/metric_catalog.h"

#include <unordered_map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/check.h"

namespace mimeo {
namespace {

using MetricRows = std::vector<MetricDefinition>;

constexpr MetricKind kCounter = MetricKind::kCounter;
constexpr MetricKind kGauge = MetricKind::kGauge;
constexpr MetricKind kHistogram = MetricKind::kHistogram;

const std::vector<double>& SecondsBuckets() {
  static const auto* const buckets =
      new std::vector<double>{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
  return *buckets;
}

// Set by the coordinator, each time its state changes or a call ends.
MetricRows CoordinatorRows() {
  constexpr MetricOwner kOwner = MetricOwner::kCoordinator;
  return {
      {"mimeo_coordinator_jobs", kGauge, kOwner, "Jobs in each state (state: pending, running, ...).", {"state"}},
      {"mimeo_coordinator_workers", kGauge, kOwner, "Registered workers."},
      {"mimeo_coordinator_workers_silent", kGauge, kOwner, "Registered workers whose lease has expired."},
      {"mimeo_coordinator_slots", kGauge, kOwner, "Slots of all registered workers."},
      {"mimeo_coordinator_slots_busy", kGauge, kOwner, "Slots that a gang holds."},
      {"mimeo_coordinator_teachers", kGauge, kOwner, "Registered teachers."},
      {"mimeo_coordinator_gangs_placed_total", kCounter, kOwner, "Gangs given slots by this process."},
      {"mimeo_coordinator_gangs_failed_total", kCounter, kOwner, "Gangs that ended in failure or were replaced."},
      {"mimeo_coordinator_journal_events", kGauge, kOwner, "Events in the journal."},
      {"mimeo_coordinator_commit_seconds",
       kHistogram,
       kOwner,
       "Seconds to check, sync to the journal and apply one event.",
       {},
       SecondsBuckets()},
      {"mimeo_coordinator_chunk_bytes_total", kCounter, kOwner, "Bytes of checkpoint chunks received."},
      {"mimeo_coordinator_checkpoints_total", kCounter, kOwner, "Checkpoints committed."},
      {"mimeo_coordinator_store_bytes", kGauge, kOwner, "Approximate bytes of the store on disk."},
      {"mimeo_coordinator_store_errors_total", kCounter, kOwner, "Store operations that failed (disk full, I/O)."},
      {"mimeo_coordinator_fenced_requests_total", kCounter, kOwner, "Requests of replaced generations, refused."},
      {"mimeo_coordinator_steps_reported_total", kCounter, kOwner, "Step metrics received."},
      {"mimeo_coordinator_heartbeats_total", kCounter, kOwner, "Heartbeats of workers and teachers answered with OK."},
      {"mimeo_coordinator_rank_statuses_refused_total", kCounter, kOwner,
       "Statuses of ranks in heartbeats that could not be taken."},
      {"mimeo_coordinator_rpc_errors_total", kCounter, kOwner, "Calls answered with an error."},
      {"mimeo_coordinator_job_step", kGauge, kOwner, "Newest optimizer step heard of a running job.", {"job"}},
      {"mimeo_coordinator_job_loss_term",
       kGauge,
       kOwner,
       "Unweighted loss of one objective in a job's newest reported step.",
       {"job", "objective"}},
      {"mimeo_coordinator_job_stat",
       kGauge,
       kOwner,
       "What an objective or the encoder shows of itself, newest reported, e.g. encoder/effective_rank: near 1 it has "
       "collapsed.",
       {"job", "stat"}},
  };
}

MetricRows AgentRows() {
  constexpr MetricOwner kOwner = MetricOwner::kWorker;
  return {
      {"mimeo_worker_slots", kGauge, kOwner, "Slots of this worker."},
      {"mimeo_worker_slots_busy", kGauge, kOwner, "Slots whose rank process runs."},
      {"mimeo_worker_heartbeat_seconds",
       kHistogram,
       kOwner,
       "Seconds until the coordinator answered a heartbeat.",
       {},
       SecondsBuckets()},
      {"mimeo_worker_heartbeat_failures_total", kCounter, kOwner, "Heartbeats that nobody answered."},
      {"mimeo_worker_rank_starts_total", kCounter, kOwner, "Rank processes started."},
      {"mimeo_worker_rank_failures_total", kCounter, kOwner, "Rank processes that ended in failure."},
      {"mimeo_worker_rank_hangs_total", kCounter, kOwner, "Rank processes killed for lack of progress."},
  };
}

// Of rank processes: the agent exports them in their place.
MetricRows RankRows() {
  constexpr MetricOwner kOwner = MetricOwner::kWorker;
  const std::vector<std::string> kRank = {"job", "rank"};
  return {
      {"mimeo_worker_step", kGauge, kOwner, "Optimizer steps done.", kRank},
      {"mimeo_worker_loss", kGauge, kOwner, "Weighted loss over the global batch, newest logged step.", kRank},
      {"mimeo_worker_learning_rate", kGauge, kOwner, "Learning rate of the newest logged step.", kRank},
      {"mimeo_worker_grad_norm", kGauge, kOwner, "Gradient norm before clipping, newest logged step.", kRank},
      {"mimeo_worker_images_total", kCounter, kOwner, "Images that this rank trained on.", kRank},
      {"mimeo_worker_images_per_second", kGauge, kOwner, "Images per second over all ranks, newest logged step.",
       kRank},
      {"mimeo_worker_step_seconds", kGauge, kOwner, "Seconds of the newest logged step.", kRank},
      {"mimeo_worker_data_wait_seconds", kGauge, kOwner, "Seconds that the newest logged step waited for images.",
       kRank},
      {"mimeo_worker_teacher_wait_seconds", kGauge, kOwner,
       "Seconds that the newest logged step waited for teacher features.", kRank},
      {"mimeo_worker_communication_seconds", kGauge, kOwner,
       "Seconds that the newest measured backward pass was done and waited for other ranks' gradients.", kRank},
      {"mimeo_worker_gflop_per_second", kGauge, kOwner,
       "Arithmetic of the method as published, of this rank, newest logged step.", kRank},
      {"mimeo_worker_peak_gflop_per_second", kGauge, kOwner,
       "What the device's vendor says it can do at the job's precision; 0: unknown. The quotient is the model FLOPs "
       "utilization.",
       kRank},
      {"mimeo_worker_peak_memory_bytes", kGauge, kOwner,
       "Most memory that the rank has held, of its GPU or of the host.", kRank},
      {"mimeo_worker_bad_samples_total", kCounter, kOwner,
       "Distinct samples of the job, met by any of its ranks, that could not be decoded and were replaced.", kRank},
      {"mimeo_worker_skipped_steps_total", kCounter, kOwner, "Steps not applied because the loss was not finite.",
       kRank},
      {"mimeo_worker_checkpoint_pause_seconds", kGauge, kOwner,
       "Seconds that training stood still for the newest snapshot.", kRank},
      {"mimeo_worker_checkpoint_bytes", kGauge, kOwner, "Bytes of the newest snapshot (rank 0).", kRank},
      {"mimeo_worker_checkpoint_step", kGauge, kOwner, "Step of the newest committed checkpoint (rank 0).", kRank},
      {"mimeo_worker_stop_need_seconds", kGauge, kOwner,
       "What a stop without loss takes, as measured: a step, and the newest checkpoint's pause and upload (rank 0). "
       "More than --stop_grace costs steps.",
       kRank},
  };
}

MetricRows TeacherRows() {
  constexpr MetricOwner kOwner = MetricOwner::kTeacher;
  return {
      {"mimeo_teacher_requests_total", kCounter, kOwner, "Feature requests answered."},
      {"mimeo_teacher_images_total", kCounter, kOwner, "Images encoded."},
      {"mimeo_teacher_sent_bytes_total", kCounter, kOwner, "Bytes of features sent."},
      {"mimeo_teacher_errors_total", kCounter, kOwner, "Streams ended with an error, refused ones included."},
      {"mimeo_teacher_streams", kGauge, kOwner, "Open feature streams."},
      {"mimeo_teacher_queue_images", kGauge, kOwner, "Images that wait for a batch."},
      {"mimeo_teacher_queue_bytes", kGauge, kOwner, "Bytes of requests that wait for a batch."},
      {"mimeo_teacher_batch_images",
       kHistogram,
       kOwner,
       "Images in one forward pass.",
       {},
       {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}},
      {"mimeo_teacher_forward_seconds", kHistogram, kOwner, "Seconds of one forward pass.", {}, SecondsBuckets()},
      {"mimeo_teacher_heartbeat_failures_total", kCounter, kOwner, "Heartbeats that the coordinator did not answer."},
  };
}

const char* KindName(MetricKind kind) {
  switch (kind) {
    case MetricKind::kCounter:
      return "counter";
    case MetricKind::kGauge:
      return "gauge";
    case MetricKind::kHistogram:
      return "histogram";
  }
  return "";
}

const char* OwnerTitle(MetricOwner owner) {
  switch (owner) {
    case MetricOwner::kCoordinator:
      return "Coordinator";
    case MetricOwner::kWorker:
      return "Worker";
    case MetricOwner::kTeacher:
      return "Teacher server";
  }
  return "";
}

}  // namespace

const std::vector<MetricDefinition>& MetricCatalog() {
  static const auto* const catalog = [] {
    auto* rows = new MetricRows;
    for (const MetricRows& part : {CoordinatorRows(), AgentRows(), RankRows(), TeacherRows()}) {
      rows->insert(rows->end(), part.begin(), part.end());
    }
    return rows;
  }();
  return *catalog;
}

const MetricDefinition& FindMetric(const std::string& name) {
  static const auto* const by_name = [] {
    auto* index = new std::unordered_map<std::string, const MetricDefinition*>;
    for (const MetricDefinition& metric : MetricCatalog()) (*index)[metric.name] = &metric;
    return index;
  }();
  const auto it = by_name->find(name);
  MIMEO_CHECK(it != by_name->end(), "metric ", name, " is not in base/metric_catalog.cc");
  return *it->second;
}

std::string MetricsMarkdown() {
  std::string text =
      "# Metrics\n\n"
      "Every process serves these at `http://HOST:PORT/metrics` in Prometheus' text format. This page is written by\n"
      "`bazel run //base:print_metrics_md` from base/metric_catalog.cc, and a test keeps the two equal.\n\n"
      "Series with the labels `job` and `rank` come from rank processes; their agent serves them, so a host has one "
      "target,\n"
      "and they vanish when the rank ends. A histogram also has `_bucket`, `_sum` and `_count` series.\n";
  for (const MetricOwner owner : {MetricOwner::kCoordinator, MetricOwner::kWorker, MetricOwner::kTeacher}) {
    absl::StrAppend(&text, "\n## ", OwnerTitle(owner), "\n\n| name | type | labels | meaning |\n|---|---|---|---|\n");
    for (const MetricDefinition& metric : MetricCatalog()) {
      if (metric.owner != owner) continue;
      absl::StrAppend(&text, "| `", metric.name, "` | ", KindName(metric.kind), " | ",
                      absl::StrJoin(metric.labels, ", "), " | ", metric.help, " |\n");
    }
  }
  return text;
}

}  // namespace mimeo
