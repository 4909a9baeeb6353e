// Writes docs/metrics.md's text to stdout: bazel run //base:print_metrics_md > docs/metrics.md
#include <cstdio>

#include "base/metric_catalog.h"

int main() {
  const std::string text = mimeo::MetricsMarkdown();
  std::fwrite(text.data(), 1, text.size(), stdout);
}
