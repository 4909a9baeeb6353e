#include "worker/agent/rank_metrics.h"

#include <cmath>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/metric_catalog.h"
#include "spdlog/spdlog.h"

namespace mimeo {
namespace {

// The metrics that a rank may report, by name.
const std::map<std::string, MetricKind>& RankMetricKinds() {
  static const auto* const kinds = [] {
    auto* const map = new std::map<std::string, MetricKind>;
    for (const MetricDefinition& metric : MetricCatalog()) {
      const bool of_rank =
          metric.owner == MetricOwner::kWorker && metric.labels == std::vector<std::string>{"job", "rank"};
      if (of_rank && metric.kind != MetricKind::kHistogram) map->emplace(metric.name, metric.kind);
    }
    return map;
  }();
  return *kinds;
}

}  // namespace

void ExportRankMetrics(const ReportRankRequest& report, Metrics* metrics) {
  const Metrics::Labels labels = {{"job", report.status().job_id()}, {"rank", absl::StrCat(report.status().rank())}};
  for (const MetricSample& sample : report.metrics()) {
    const auto kind = RankMetricKinds().find(sample.name());
    if (kind == RankMetricKinds().end()) {
      static const bool warned = [&] {
        spdlog::warn("a rank reports a metric that is not in the catalogue name={}", sample.name());
        return true;
      }();
      (void)warned;
    } else if (kind->second == MetricKind::kCounter) {
      // In a counter it would stay for good: what is not finite is in every later sum.
      if (!std::isfinite(sample.value()) || sample.value() < 0) continue;
      metrics->SetTotal(sample.name(), sample.value(), labels);
    } else {
      metrics->Set(sample.name(), sample.value(), labels);
    }
  }
}

}  // namespace mimeo
