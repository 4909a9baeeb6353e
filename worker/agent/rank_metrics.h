// Shows a rank's numbers on its agent's /metrics, so that a host is one target to scrape. Any thread may call it.
#pragma once

#include "base/metrics_server.h"
#include "proto/agent.pb.h"

namespace mimeo {

// Sets the metrics of a report under the labels job and rank. A name that the catalogue does not list for ranks is
// ignored, with one warning: a rank of another version must not take the agent down. A counter's total that is not
// finite, or is below 0, is left out.
void ExportRankMetrics(const ReportRankRequest& report, Metrics* metrics);

}  // namespace mimeo
