#include "worker/agent/rank_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace mimeo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class RankMetricsTest : public ::testing::Test {
 protected:
  // As rank 3 of the job reports them.
  void Report(const std::vector<std::pair<std::string, double>>& samples, const std::string& job = "j1") {
    ReportRankRequest report;
    report.mutable_status()->set_job_id(job);
    report.mutable_status()->set_rank(3);
    for (const auto& [name, value] : samples) {
      MetricSample* sample = report.add_metrics();
      sample->set_name(name);
      sample->set_value(value);
    }
    ExportRankMetrics(report, &metrics_);
  }

  Metrics metrics_{MetricOwner::kWorker};
};

TEST_F(RankMetricsTest, AreExportedUnderTheirJobAndRank) {
  Report({{"mimeo_worker_step", 5}, {"mimeo_worker_images_total", 100}});
  Report({{"mimeo_worker_step", 7}, {"mimeo_worker_images_total", 130}});
  EXPECT_THAT(metrics_.Text(), HasSubstr("mimeo_worker_step{job=\"j1\",rank=\"3\"} 7\n"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("mimeo_worker_images_total{job=\"j1\",rank=\"3\"} 130\n"));
  Report({{"mimeo_worker_images_total", 20}});  // its next generation counts anew
  EXPECT_THAT(metrics_.Text(), HasSubstr("mimeo_worker_images_total{job=\"j1\",rank=\"3\"} 150\n"));
}

TEST_F(RankMetricsTest, AnEmptyListExportsNothing) {
  const std::string before = metrics_.Text();
  Report({});
  EXPECT_EQ(metrics_.Text(), before);
}

// A rank of another version, or one whose memory is damaged, must not take the agent down: Metrics dies of a name that
// is not its own.
TEST_F(RankMetricsTest, NamesThatARankMayNotReportAreLeftOut) {
  const std::string before = metrics_.Text();
  Report({{"mimeo_no_such_metric", 1},
          {"mimeo_worker_slots", 99},              // the agent's
          {"mimeo_worker_heartbeat_seconds", 99},  // a histogram
          {"mimeo_coordinator_jobs", 99},          // another process's
          {"", 99},
          {"caf\xe9\n# HELP", 99}});
  EXPECT_EQ(metrics_.Text(), before);
}

TEST_F(RankMetricsTest, WhatNoCounterCanBeSpoilsNoLaterTotal) {
  Report({{"mimeo_worker_images_total", 100}});
  for (const double total : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
                             -std::numeric_limits<double>::infinity(), -50.0}) {
    Report({{"mimeo_worker_images_total", total}});
    EXPECT_THAT(metrics_.Text(), HasSubstr("mimeo_worker_images_total{job=\"j1\",rank=\"3\"} 100\n")) << total;
  }
  Report({{"mimeo_worker_images_total", 110}});
  EXPECT_THAT(metrics_.Text(), HasSubstr("mimeo_worker_images_total{job=\"j1\",rank=\"3\"} 110\n"));
}

TEST_F(RankMetricsTest, AGaugeMayBeAnyNumber) {
  Report({{"mimeo_worker_step", std::numeric_limits<double>::quiet_NaN()}});
  EXPECT_THAT(metrics_.Text(), HasSubstr("mimeo_worker_step{job=\"j1\",rank=\"3\"} Nan\n"));
  Report({{"mimeo_worker_step", -1}, {"mimeo_worker_step", 8}});
  EXPECT_THAT(metrics_.Text(), HasSubstr("mimeo_worker_step{job=\"j1\",rank=\"3\"} 8\n")) << "the last one counts";
}

TEST_F(RankMetricsTest, AJobsNameSpoilsNoPage) {
  Report({{"mimeo_worker_step", 1}}, "caf\xe9\"\n\x1b[2J");
  EXPECT_THAT(metrics_.Text(), HasSubstr("mimeo_worker_step{job=\"caf\\\\xe9\\\"\\\\x0a\\\\x1b[2J\",rank=\"3\"} 1\n"));
  EXPECT_THAT(metrics_.Text(), Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace mimeo
