// The link against a recording Agent service on a real Unix socket.
#include "worker/rank/rank_link.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/progress.h"
#include "base/rpc/rpc.h"
#include "base/testing/status_matchers.h"
#include "worker/rank/testing/recording_agent.h"

namespace mimeo {
namespace {

using ::mimeo::testing::RecordingAgent;
using ::mimeo::testing::StatusIs;

absl::Time Soon() { return Clock::Real()->Now() + absl::Seconds(20); }
absl::Time AtOnce() { return Clock::Real()->Now() + absl::Milliseconds(50); }

class RankLinkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    start_.set_job_id("j1");
    start_.set_generation(3);
    start_.set_rank(1);
    agent_.Give(start_);
    ASSERT_OK_AND_ASSIGN(server_, RpcServer::Start(ChannelOptions(), address_, {&agent_}));
  }

  TempDir dir_;
  const std::string address_ = absl::StrCat("unix:", dir_.path(), "/agent.sock");
  RecordingAgent agent_;
  std::unique_ptr<RpcServer> server_;
  GangAssignment start_;
  Progress progress_;
};

TEST_F(RankLinkTest, SaysWhoItIsAndHowItGoes) {
  ASSERT_OK_AND_ASSIGN(const auto link, RankLink::Connect(ChannelOptions(), address_, start_, &progress_));
  const auto first = agent_.AwaitReport([](const ReportRankRequest&) { return true; });
  EXPECT_EQ(first.status().job_id(), "j1");
  EXPECT_EQ(first.status().generation(), 3);
  EXPECT_EQ(first.status().rank(), 1);
  EXPECT_EQ(first.status().phase(), RANK_PHASE_STARTING);
  EXPECT_EQ(first.status().pid(), getpid());
  link->SetMetric("mimeo_worker_loss", 0.5);
  link->Update([](RankStatus* status) {
    status->set_phase(RANK_PHASE_TRAINING);
    status->set_step(12);
  });
  const auto report =
      agent_.AwaitReport([](const ReportRankRequest& request) { return request.status().step() == 12; });
  EXPECT_EQ(report.status().phase(), RANK_PHASE_TRAINING);
  ASSERT_EQ(report.metrics_size(), 1);
  EXPECT_EQ(report.metrics(0).name(), "mimeo_worker_loss");
  EXPECT_EQ(report.metrics(0).value(), 0.5);
}

TEST_F(RankLinkTest, ReportsWithoutBeingAsked) {
  ASSERT_OK_AND_ASSIGN(const auto link, RankLink::Connect(ChannelOptions(), address_, start_, &progress_));
  EXPECT_TRUE(agent_.AwaitReports(3)) << "silence is how a hang is found";
}

TEST_F(RankLinkTest, ARankThatStandsStillSaysWhereAndWhatItUsed) {
  progress_.Do("reads caf\xe9.jpg");
  ASSERT_OK_AND_ASSIGN(const auto link, RankLink::Connect(ChannelOptions(), address_, start_, &progress_));
  const auto first = agent_.AwaitReport([](const ReportRankRequest&) { return true; });
  EXPECT_EQ(first.status().doing(), "reads caf\\xe9.jpg");
  EXPECT_EQ(first.status().progress(), 1);
  EXPECT_GT(first.cpu_seconds(), 0);
  EXPECT_FALSE(first.in_collective());
  const Progress::Collective together(&progress_);
  const auto later = agent_.AwaitReport([](const ReportRankRequest& request) { return request.in_collective(); });
  EXPECT_EQ(later.status().progress(), 2);
}

TEST_F(RankLinkTest, BytesThatAreNoTextReachTheAgentAsText) {
  ASSERT_OK_AND_ASSIGN(const auto link, RankLink::Connect(ChannelOptions(), address_, start_, &progress_));
  link->Update([](RankStatus* status) { status->set_waiting_for("teacher \xff"); });
  agent_.AwaitReport(
      [](const ReportRankRequest& request) { return request.status().waiting_for() == "teacher \\xff"; });
  link->Finish(RANK_PHASE_FAILED, absl::InternalError(std::string(2 * limits::kReasonBytes, '\xe9')));
  const auto last = agent_.AwaitReport(
      [](const ReportRankRequest& request) { return request.status().phase() == RANK_PHASE_FAILED; });
  EXPECT_LE(last.status().message().size(), static_cast<size_t>(limits::kReasonBytes));
  EXPECT_EQ(last.status().message().substr(0, 8), "\\xe9\\xe9");
}

TEST_F(RankLinkTest, AwaitReturnsTheAssignmentOnceItIsReady) {
  ASSERT_OK_AND_ASSIGN(const auto link, RankLink::Connect(ChannelOptions(), address_, start_, &progress_));
  const auto has_store = [](const GangAssignment& assignment) { return !assignment.store_address().empty(); };
  EXPECT_THAT(link->Await(has_store, AtOnce()).status(), StatusIs(absl::StatusCode::kDeadlineExceeded));
  GangAssignment given = start_;
  given.set_store_address("127.0.0.1:4242");
  agent_.Give(given);
  ASSERT_OK_AND_ASSIGN(const GangAssignment ready, link->Await(has_store, Soon()));
  EXPECT_EQ(ready.store_address(), "127.0.0.1:4242");
  EXPECT_EQ(link->assignment().store_address(), "127.0.0.1:4242");
}

TEST_F(RankLinkTest, AStopEndsEveryWait) {
  ASSERT_OK_AND_ASSIGN(const auto link, RankLink::Connect(ChannelOptions(), address_, start_, &progress_));
  GangAssignment stop = start_;
  stop.set_stop(STOP_AFTER_CHECKPOINT);
  agent_.Give(stop);
  const auto never = [](const GangAssignment&) { return false; };
  EXPECT_THAT(link->Await(never, Soon()).status(), StatusIs(absl::StatusCode::kCancelled));
}

TEST_F(RankLinkTest, FinishReturnsOnceTheAgentHasIt) {
  ASSERT_OK_AND_ASSIGN(const auto link, RankLink::Connect(ChannelOptions(), address_, start_, &progress_));
  link->Update([](RankStatus* status) { status->set_waiting_for("teacher frozen"); });
  link->Finish(RANK_PHASE_FAILED, absl::DataLossError("101 bad samples"));
  server_->Shutdown(absl::ZeroDuration());  // nothing can arrive any more
  const auto last = agent_.AwaitReport(
      [](const ReportRankRequest& request) { return request.status().phase() == RANK_PHASE_FAILED; });
  EXPECT_EQ(last.status().status_code(), static_cast<int>(absl::StatusCode::kDataLoss));
  EXPECT_EQ(last.status().message(), "101 bad samples");
  EXPECT_EQ(last.status().waiting_for(), "");
}

TEST_F(RankLinkTest, ARankThatTheAgentDoesNotKnowCannotConnect) {
  agent_.Answer(absl::NotFoundError("no such rank"));
  EXPECT_THAT(RankLink::Connect(ChannelOptions(), address_, start_, &progress_).status(),
              StatusIs(absl::StatusCode::kNotFound, address_));
}

TEST_F(RankLinkTest, ARankThatIsForgottenStops) {
  ASSERT_OK_AND_ASSIGN(const auto link, RankLink::Connect(ChannelOptions(), address_, start_, &progress_));
  agent_.Answer(absl::NotFoundError("no such rank"));
  const auto never = [](const GangAssignment&) { return false; };
  EXPECT_THAT(link->Await(never, Soon()).status(), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(link->assignment().stop(), STOP_NOW);
  link->Finish(RANK_PHASE_STOPPED, absl::OkStatus());  // returns, although nobody listens
}

}  // namespace
}  // namespace mimeo
