// The table of every Prometheus metric of every process. The exporter, the dashboards and docs/metrics.md are made from
// it. To add a metric, write a row into metric_catalog.cc and run `bazel run //base:print_metrics_md`. The table is
// constant; thread-safe.
#pragma once

#include <string>
#include <vector>

namespace mimeo {

enum class MetricKind { kCounter, kGauge, kHistogram };
// The process that serves the metric. The metrics of a rank are served by its agent, so they are kWorker's.
enum class MetricOwner { kCoordinator, kWorker, kTeacher };

// Names follow Prometheus' rules: mimeo_<owner>_<what>_<unit>[_total], in base units, which are seconds and bytes.
struct MetricDefinition {
  const char* name;
  MetricKind kind;
  MetricOwner owner;
  const char* help;                      // a sentence that says the unit too
  std::vector<std::string> labels = {};  // the names of the labels that each series has, such as {"job", "rank"}
  std::vector<double> buckets = {};      // for a histogram: the upper bounds of its buckets, ascending
};

const std::vector<MetricDefinition>& MetricCatalog();

// The row of this name. A name that is not in the table ends the process: nothing can be exported without a row.
const MetricDefinition& FindMetric(const std::string& name);

// The whole text of docs/metrics.md, which has the same table for people.
std::string MetricsMarkdown();

}  // namespace mimeo
