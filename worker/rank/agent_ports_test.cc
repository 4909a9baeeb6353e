// The ports against a recording Agent service on a real Unix socket.
#include "worker/rank/agent_ports.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/process.h"
#include "base/progress.h"
#include "base/rpc/rpc.h"
#include "base/testing/status_matchers.h"
#include "worker/rank/testing/recording_agent.h"

namespace mimeo {
namespace {

class AgentPortsTest : public ::testing::Test {
 protected:
  // Before there is a thread that a signal could find unblocked: gRPC keeps some from test to test.
  static void SetUpTestSuite() { BlockStopSignals(); }

  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(server_, RpcServer::Start(ChannelOptions(), address_, {&agent_}));
    ASSERT_OK_AND_ASSIGN(link_, RankLink::Connect(ChannelOptions(), address_, GangAssignment(), &progress_));
  }
  // False: no report says so soon, which fails the test too.
  bool Shows(const std::string& waiting_for) {
    const auto is = [&](const ReportRankRequest& report) { return report.status().waiting_for() == waiting_for; };
    return agent_.AwaitReport(is).status().waiting_for() == waiting_for;
  }
  // Reports come a few times a second: so many of them are time enough to hear of a stop.
  bool BecomesWanted(const StopListener& stop) {
    for (size_t reports = 1; !stop.wanted() && reports < 40; ++reports) agent_.AwaitReports(reports);
    return stop.wanted();
  }

  TempDir dir_;
  const std::string address_ = absl::StrCat("unix:", dir_.path(), "/agent.sock");
  testing::RecordingAgent agent_;
  std::unique_ptr<RpcServer> server_;
  Progress progress_;
  std::unique_ptr<RankLink> link_;
};

TEST_F(AgentPortsTest, WhatItWaitsForIsShownUntilTheLastThatWaitsForItIsDone) {
  AgentStatus status(link_.get());
  status.SetWaiting("teacher clip", true);
  EXPECT_TRUE(Shows("teacher clip"));
  status.SetWaiting("coordinator", true);
  status.SetWaiting("teacher clip", true);
  EXPECT_TRUE(Shows("coordinator, teacher clip"));
  status.SetWaiting("coordinator", false);
  status.SetWaiting("teacher clip", false);
  status.SetWaiting("teacher dino", false);  // which nobody waited for
  RankStep step;
  step.step = 5, step.bad_samples = 2, step.images_per_second = 64;
  step.utilization.set_step_seconds(0.5);
  status.ReportRankStep(step);
  const RankStatus still =
      agent_.AwaitReport([](const ReportRankRequest& report) { return report.status().step() == 5; }).status();
  EXPECT_EQ(still.waiting_for(), "teacher clip") << "one of the two waits on";
  EXPECT_EQ(still.bad_samples(), 2);
  EXPECT_EQ(still.images_per_second(), 64);
  EXPECT_EQ(still.utilization().step_seconds(), 0.5);
  status.SetWaiting("teacher clip", false);
  step.step = 6;
  status.ReportRankStep(step);
  EXPECT_EQ(agent_.AwaitReport([](const ReportRankRequest& report) { return report.status().step() == 6; })
                .status()
                .waiting_for(),
            "");
}

TEST_F(AgentPortsTest, DataThatAreAwayAreToldFromTheRest) {
  AgentStatus status(link_.get());
  status.SetWaiting("teacher clip", true);
  const auto shown = [](const ReportRankRequest& report) { return report.status().waiting_for() == "teacher clip"; };
  EXPECT_FALSE(agent_.AwaitReport(shown).status().waits_for_data());
  status.SetWaitingForData("data.path /photos", true);
  const auto waits = [](const ReportRankRequest& report) { return report.status().waits_for_data(); };
  EXPECT_EQ(agent_.AwaitReport(waits).status().waiting_for(), "data.path /photos, teacher clip");
  status.SetWaitingForData("data.path /photos", false);
  EXPECT_TRUE(Shows("teacher clip"));
}

TEST_F(AgentPortsTest, WhatCannotBeDecodedJoinsWhatTheDataLeaveOut) {
  AgentStatus status(link_.get());
  DataContents data;
  data.set_field("data.path");
  data.add_passed_over()->set_reason("hidden files");
  data.mutable_passed_over(0)->set_count(1);
  status.SetData({data});
  PassedOver row;
  row.set_reason("images that cannot be decoded");
  for (const int64_t count : {1, 4}) {
    row.set_count(count);
    status.ReportUndecodable("data.path", row);
  }
  status.ReportUndecodable("evaluation.path", row);  // which this job does not have
  const auto shown = [](const ReportRankRequest& report) {
    const auto& all = report.status().data();
    return all.size() == 1 && all[0].passed_over_size() == 2 && all[0].passed_over(1).count() == 4;
  };
  EXPECT_EQ(agent_.AwaitReport(shown).status().data(0).passed_over(0).reason(), "hidden files");
}

TEST_F(AgentPortsTest, TheAgentsWordIsAStop) {
  const StopListener stop(link_.get());
  EXPECT_FALSE(stop.wanted());
  GangAssignment told;
  told.set_stop(STOP_AFTER_CHECKPOINT);
  agent_.Give(told);
  EXPECT_TRUE(BecomesWanted(stop));
}

TEST_F(AgentPortsTest, ASignalIsAStop) {
  const StopListener stop(link_.get());
  EXPECT_FALSE(stop.wanted());
  kill(getpid(), SIGTERM);
  EXPECT_TRUE(BecomesWanted(stop));
}

}  // namespace
}  // namespace mimeo
