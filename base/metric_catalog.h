// Every Prometheus metric of every process: the exporter, the dashboards and docs/metrics.md all come from this table.
// Thread-safe: constants. To add a metric: a row in metric_catalog.cc, then `bazel run //base:print_metrics_md`.
#pragma once

#include <string>
#include <vector>

namespace mimeo {

enum class MetricKind { kCounter, kGauge, kHistogram };
enum class MetricOwner { kCoordinator, kWorker, kTeacher };  // whose /metrics shows it

// Names follow Prometheus: mimeo_<owner>_<what>_<unit>[_total]; base units (seconds, bytes).
struct MetricDefinition {
  const char* name;
  MetricKind kind;
  MetricOwner owner;
  const char* help;                      // a sentence with the unit
  std::vector<std::string> labels = {};  // e.g. {"job", "rank"}
  std::vector<double> buckets = {};      // upper bounds, ascending; histograms only
};

const std::vector<MetricDefinition>& MetricCatalog();

// CHECK-fails when the name is not in the catalogue: a metric that is not listed cannot be exported.
const MetricDefinition& FindMetric(const std::string& name);

// docs/metrics.md, whole: the table for people.
std::string MetricsMarkdown();

}  // namespace mimeo
