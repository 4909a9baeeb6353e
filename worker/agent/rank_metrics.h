// A rank's numbers on its agent's /metrics: a host has one scrape target. Thread-safe: a free function over Metrics.
#pragma once

#include "base/metrics_server.h"
#include "proto/agent.pb.h"

namespace mimeo {

// Under the labels job and rank. A name that the catalogue does not list for ranks is ignored, with one warning: a rank
// of another version must not take the agent down. A counter's total that is not finite, or is below 0, is left out.
void ExportRankMetrics(const ReportRankRequest& report, Metrics* metrics);

}  // namespace mimeo
