#include "base/metric_catalog.h"

#include <algorithm>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

std::string OwnerWord(MetricOwner owner) {
  if (owner == MetricOwner::kCoordinator) return "coordinator";
  return owner == MetricOwner::kWorker ? "worker" : "teacher";
}

TEST(MetricCatalogTest, NamesAreUniqueAndSayTheirOwner) {
  std::set<std::string> seen;
  for (const MetricDefinition& metric : MetricCatalog()) {
    EXPECT_TRUE(seen.insert(metric.name).second) << metric.name;
    const std::regex pattern("mimeo_" + OwnerWord(metric.owner) + "_[a-z_]*[a-z]");
    EXPECT_TRUE(std::regex_match(metric.name, pattern)) << metric.name;
    EXPECT_EQ(&FindMetric(metric.name), &metric);
  }
}

// https://prometheus.io/docs/practices/naming/
TEST(MetricCatalogTest, OnlyCountersEndInTotal) {
  for (const MetricDefinition& metric : MetricCatalog()) {
    const std::string name = metric.name;
    const bool total = name.size() > 6 && name.substr(name.size() - 6) == "_total";
    EXPECT_EQ(total, metric.kind == MetricKind::kCounter) << name;
  }
}

TEST(MetricCatalogTest, HelpIsASentenceAndBucketsBelongToHistograms) {
  for (const MetricDefinition& metric : MetricCatalog()) {
    EXPECT_EQ(std::string(metric.help).back(), '.') << metric.name;
    EXPECT_EQ(!metric.buckets.empty(), metric.kind == MetricKind::kHistogram) << metric.name;
    EXPECT_TRUE(std::is_sorted(metric.buckets.begin(), metric.buckets.end())) << metric.name;
  }
}

TEST(MetricCatalogDeathTest, AnUnlistedNameDiesByName) {
  EXPECT_DEATH(FindMetric("mimeo_worker_typo"), "mimeo_worker_typo");
}

TEST(MetricCatalogTest, TheCommittedPageIsTheCatalogue) {
  std::ifstream file("docs/metrics.md");
  ASSERT_TRUE(file) << "docs/metrics.md is not among the test's files";
  std::ostringstream committed;
  committed << file.rdbuf();
  EXPECT_EQ(committed.str(), MetricsMarkdown()) << "run: bazel run //base:print_metrics_md > docs/metrics.md";
}

}  // namespace
}  // namespace mimeo
