// The agent with real processes and a real socket; its coordinator is a recording service on loopback.
#include "worker/agent/agent.h"
#include "base/wait.h"

#include <gtest/gtest.h>
#include <signal.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/file.h"
#include "worker/agent/testing/fake_cluster.h"

namespace mimeo {
namespace {

GangAssignment Assigned(const std::string& how, int64_t generation = 1, int rank = 0, Stop stop = STOP_UNSPECIFIED) {
  GangAssignment assignment;
  assignment.set_job_id("j1");
  assignment.set_generation(generation);
  assignment.set_rank(rank);
  assignment.set_num_ranks(2);
  assignment.mutable_spec()->set_name(how);
  assignment.mutable_spec()->mutable_resources()->set_threads_per_rank(3);
  assignment.set_stop(stop);
  return assignment;
}

bool IsOnly(const HeartbeatRequest& heartbeat, RankPhase phase, int64_t generation = 1) {
  return heartbeat.ranks_size() == 1 && heartbeat.ranks(0).phase() == phase &&
         heartbeat.ranks(0).generation() == generation;
}

class AgentTest : public ::testing::Test {
 protected:
  void StartAgent(const std::string& dir) {
    AgentOptions options;
    options.coordinator_address = cluster_.address();
    options.identity.set_id("w0");
    options.identity.set_slots(2);
    options.identity.set_host("127.0.0.1");
    options.dir = dir;
    options.rank_binary =
        absl::StrCat(std::getenv("TEST_SRCDIR"), "/", std::getenv("TEST_WORKSPACE"), "/worker/agent/testing/tiny_rank");
    options.heartbeat_period = absl::Milliseconds(20);
    options.ranks.patience = patience_;
    auto agent = WorkerAgent::Start(options, &metrics_);
    ASSERT_TRUE(agent.ok()) << agent.status();
    agent_ = *std::move(agent);
  }
  void StartAgent() { StartAgent(dir_.path()); }

  RankStatus AwaitTraining(int64_t generation = 1, int64_t step = 1) {
    const auto heartbeat = cluster_.AwaitHeartbeat("a rank that trains", [&](const HeartbeatRequest& request) {
      return IsOnly(request, RANK_PHASE_TRAINING, generation) && request.ranks(0).step() >= step;
    });
    return heartbeat.ranks_size() == 1 ? heartbeat.ranks(0) : RankStatus();
  }

  // Looks again and again, for at most 20 s.
  static bool Soon(const std::function<bool()>& holds) {
    const absl::Time deadline = Clock::Real()->Now() + absl::Seconds(20);
    while (!holds() && Clock::Real()->Now() < deadline) WaitFor(absl::Milliseconds(5));
    return holds();
  }
  static bool Lives(int64_t pid) { return kill(static_cast<pid_t>(pid), 0) == 0; }
  bool MetricsSay(const std::string& line) { return absl::StrContains(metrics_.Text(), line + "\n"); }

  int64_t HeartbeatFailures() {
    const std::vector<std::string> around =
        absl::StrSplit(metrics_.Text(), absl::MaxSplits("\nmimeo_worker_heartbeat_failures_total ", 1));
    return around.size() < 2 ? 0 : std::atoll(around[1].c_str());
  }

  absl::Duration patience_ = absl::Seconds(60);
  testing::FakeCluster cluster_;
  TempDir dir_;
  Metrics metrics_{MetricOwner::kWorker};
  std::unique_ptr<WorkerAgent> agent_;
};

TEST_F(AgentTest, RunsWhatIsAssignedAndSaysHowItGoes) {
  cluster_.Assign({Assigned("trains")});
  StartAgent();
  const RankStatus rank = AwaitTraining();
  EXPECT_EQ(rank.store_address(), "127.0.0.1:4242");
  EXPECT_TRUE(Lives(rank.pid()));
  ASSERT_EQ(cluster_.registrations().size(), 1u);
  EXPECT_EQ(cluster_.registrations()[0].id(), "w0");
  EXPECT_EQ(cluster_.registrations()[0].slots(), 2);
  EXPECT_FALSE(cluster_.registrations()[0].incarnation().empty());
  const auto log = ReadFile(dir_.path() + "/ranks/j1-g1-r0.log");
  ASSERT_TRUE(log.ok()) << log.status();
  EXPECT_TRUE(absl::StrContains(*log, "omp=3 cuda=[]")) << *log;
}

TEST_F(AgentTest, ExportsItsOwnNumbersAndThoseOfItsRanks) {
  cluster_.Assign({Assigned("trains")});
  StartAgent();
  AwaitTraining(1, 20);
  EXPECT_TRUE(MetricsSay("mimeo_worker_slots 2"));
  EXPECT_TRUE(MetricsSay("mimeo_worker_slots_busy 1"));
  EXPECT_TRUE(MetricsSay("mimeo_worker_rank_starts_total 1"));
  const std::string text = metrics_.Text();
  EXPECT_TRUE(absl::StrContains(text, "mimeo_worker_step{job=\"j1\",rank=\"0\"}")) << text;
  EXPECT_TRUE(absl::StrContains(text, "mimeo_worker_images_total{job=\"j1\",rank=\"0\"}")) << text;
  EXPECT_FALSE(absl::StrContains(text, "mimeo_no_such_metric"));
  cluster_.Assign({});
  EXPECT_TRUE(Soon([&] { return !absl::StrContains(metrics_.Text(), "job=\"j1\""); }))
      << "a job that is over keeps its series";
}

TEST_F(AgentTest, AKilledRankIsReportedAndTheNextGenerationStarts) {
  cluster_.Assign({Assigned("trains")});
  StartAgent();
  const RankStatus before = AwaitTraining();
  ASSERT_EQ(kill(static_cast<pid_t>(before.pid()), SIGKILL), 0);
  const auto heartbeat = cluster_.AwaitHeartbeat(
      "the death", [](const HeartbeatRequest& request) { return IsOnly(request, RANK_PHASE_FAILED); });
  EXPECT_TRUE(absl::StrContains(heartbeat.ranks(0).message(), "was killed by SIGKILL (9)"))
      << heartbeat.ShortDebugString();
  EXPECT_GE(heartbeat.ranks(0).step(), before.step());
  EXPECT_TRUE(MetricsSay("mimeo_worker_rank_failures_total 1"));
  cluster_.Assign({Assigned("trains", 2)});
  EXPECT_NE(AwaitTraining(2).pid(), before.pid());
}

TEST_F(AgentTest, ARankThatDiesWithoutAWordIsReportedWithItsLastLines) {
  cluster_.Assign({Assigned("dies")});
  StartAgent();
  const auto heartbeat = cluster_.AwaitHeartbeat(
      "the death", [](const HeartbeatRequest& request) { return IsOnly(request, RANK_PHASE_FAILED); });
  EXPECT_TRUE(absl::StrContains(heartbeat.ranks(0).message(), "exited with code 3")) << heartbeat.ShortDebugString();
  EXPECT_TRUE(absl::StrContains(heartbeat.ranks(0).message(), "out of luck")) << heartbeat.ShortDebugString();
}

TEST_F(AgentTest, ARanksOwnErrorAndItsCompletionArePassedOn) {
  GangAssignment completes = Assigned("completes", 1, 1);
  cluster_.Assign({Assigned("fails"), completes});
  StartAgent();
  const auto heartbeat = cluster_.AwaitHeartbeat("both ended", [](const HeartbeatRequest& request) {
    return request.ranks_size() == 2 && request.ranks(0).phase() == RANK_PHASE_FAILED &&
           request.ranks(1).phase() == RANK_PHASE_COMPLETED;
  });
  EXPECT_EQ(heartbeat.ranks(0).status_code(), static_cast<int>(absl::StatusCode::kDataLoss));
  EXPECT_EQ(heartbeat.ranks(0).message(), "101 bad samples");
  EXPECT_EQ(heartbeat.ranks(1).step(), 3);
}

TEST_F(AgentTest, ACoordinatorThatIsAwayStopsNothing) {
  cluster_.Assign({Assigned("trains")});
  StartAgent();
  const RankStatus before = AwaitTraining();
  cluster_.GoAway();
  EXPECT_TRUE(Soon([&] {
    const auto ranks = agent_->Ranks();
    return ranks.size() == 1 && ranks[0].step() > before.step() + 20;
  })) << "it trains on";
  cluster_.Start();
  const RankStatus after = AwaitTraining(1, before.step() + 20);
  EXPECT_EQ(after.pid(), before.pid());
  EXPECT_EQ(cluster_.registrations().size(), 1u);
}

TEST_F(AgentTest, ACoordinatorThatAnswersWithErrorsStopsNothing) {
  cluster_.Assign({Assigned("trains")});
  StartAgent();
  const RankStatus before = AwaitTraining();
  EXPECT_TRUE(MetricsSay("mimeo_worker_heartbeat_failures_total 0"));
  cluster_.AnswerHeartbeatsWith(absl::InternalError("disk on fire"));
  EXPECT_TRUE(Soon([&] { return MetricsSay("mimeo_worker_heartbeat_failures_total 2"); }));
  cluster_.AnswerHeartbeatsWith(absl::OkStatus());
  EXPECT_EQ(AwaitTraining(1, before.step() + 1).pid(), before.pid());
}

// Whatever the code of the error is.
TEST_F(AgentTest, ACoordinatorThatAnswersWithErrorsIsAskedEverMoreSeldom) {
  for (const absl::Status& answer : {absl::InternalError("disk on fire"), absl::CancelledError("not now")}) {
    cluster_.AnswerHeartbeatsWith(answer);
    const int64_t before = HeartbeatFailures();
    const absl::Time begin = Clock::Real()->Now();
    StartAgent();
    EXPECT_TRUE(Soon([&] { return HeartbeatFailures() >= before + 4; }));
    EXPECT_GE(Clock::Real()->Now() - begin, absl::Milliseconds(50 + 100 + 200)) << answer;
    agent_.reset();
  }
}

TEST_F(AgentTest, ACoordinatorThatForgotTheWorkerHearsTheSameIncarnationAgain) {
  cluster_.Assign({Assigned("trains")});
  StartAgent();
  const RankStatus before = AwaitTraining();
  cluster_.Forget();
  EXPECT_TRUE(Soon([&] { return cluster_.registrations().size() == 2; }));
  EXPECT_EQ(cluster_.registrations()[1].incarnation(), cluster_.registrations()[0].incarnation());
  EXPECT_EQ(AwaitTraining(1, before.step() + 1).pid(), before.pid());
}

TEST_F(AgentTest, WhatIsNoLongerNamedIsKilled) {
  cluster_.Assign({Assigned("trains")});
  StartAgent();
  const RankStatus rank = AwaitTraining();
  cluster_.Assign({});
  cluster_.AwaitHeartbeat("nothing runs", [](const HeartbeatRequest& request) { return request.ranks_size() == 0; });
  EXPECT_FALSE(Lives(rank.pid()));
  EXPECT_FALSE(FileExists(dir_.path() + "/ranks/j1-g1-r0.textproto"));
  EXPECT_TRUE(FileExists(dir_.path() + "/ranks/j1-g1-r0.log")) << "people read it";
}

TEST_F(AgentTest, StopAfterCheckpointReachesTheRank) {
  cluster_.Assign({Assigned("trains")});
  StartAgent();
  AwaitTraining();
  cluster_.Assign({Assigned("trains", 1, 0, STOP_AFTER_CHECKPOINT)});
  cluster_.AwaitHeartbeat("stopped",
                          [](const HeartbeatRequest& request) { return IsOnly(request, RANK_PHASE_STOPPED); });
}

TEST_F(AgentTest, StopNowEndsARankThatDoesNotListen) {
  cluster_.Assign({Assigned("stubborn")});
  StartAgent();
  const RankStatus rank = AwaitTraining();
  cluster_.Assign({Assigned("stubborn", 1, 0, STOP_NOW)});
  cluster_.AwaitHeartbeat("stopped",
                          [](const HeartbeatRequest& request) { return IsOnly(request, RANK_PHASE_STOPPED); });
  EXPECT_FALSE(Lives(rank.pid()));
}

TEST_F(AgentTest, ANewerAgentOfThisNameEndsThisOne) {
  StartAgent();
  cluster_.AwaitHeartbeat("the first", [](const HeartbeatRequest& request) { return !request.worker_id().empty(); });
  EXPECT_TRUE(agent_->status().ok());
  cluster_.AnswerHeartbeatsWith(absl::FailedPreconditionError("a newer incarnation of w0 is registered"));
  EXPECT_TRUE(Soon([&] { return absl::IsFailedPrecondition(agent_->status()); }));
}

TEST_F(AgentTest, AProcessThatStandsStillIsKilledAndReportedAsAHang) {
  patience_ = absl::Seconds(1);
  cluster_.Assign({Assigned("trains")});
  StartAgent();
  const RankStatus rank = AwaitTraining();
  ASSERT_EQ(kill(static_cast<pid_t>(rank.pid()), SIGSTOP), 0);
  const auto heartbeat = cluster_.AwaitHeartbeat(
      "the hang", [](const HeartbeatRequest& request) { return IsOnly(request, RANK_PHASE_FAILED); });
  EXPECT_EQ(heartbeat.ranks(0).status_code(), static_cast<int>(absl::StatusCode::kDeadlineExceeded));
  EXPECT_TRUE(absl::StrContains(heartbeat.ranks(0).message(), "hang")) << heartbeat.ShortDebugString();
  EXPECT_FALSE(Lives(rank.pid()));
  EXPECT_TRUE(MetricsSay("mimeo_worker_rank_hangs_total 1"));
}

TEST_F(AgentTest, ARankThatHangsBeforeItsFirstStepSaysWhereAndIsKilled) {
  patience_ = absl::Seconds(1);
  cluster_.Assign({Assigned("hangs")});
  StartAgent();
  const auto quiet = cluster_.AwaitHeartbeat("what it does", [](const HeartbeatRequest& request) {
    return IsOnly(request, RANK_PHASE_STARTING) && absl::StrContains(request.ranks(0).doing(), "lists the images");
  });
  EXPECT_EQ(quiet.ranks(0).patience().seconds(), 1);
  const auto killed = cluster_.AwaitHeartbeat(
      "the hang", [](const HeartbeatRequest& request) { return IsOnly(request, RANK_PHASE_FAILED); });
  EXPECT_EQ(killed.ranks(0).status_code(), static_cast<int>(absl::StatusCode::kDeadlineExceeded));
  EXPECT_TRUE(absl::StrContains(killed.ranks(0).message(), "hang: quiet for")) << killed.ShortDebugString();
  EXPECT_TRUE(absl::StrContains(killed.ranks(0).message(), ") at step 0; doing: lists the images of"))
      << killed.ShortDebugString();
  EXPECT_TRUE(MetricsSay("mimeo_worker_rank_hangs_total 1"));
}

TEST_F(AgentTest, OddBytesInALogCostNoHeartbeat) {
  cluster_.Assign({Assigned("dies oddly"), Assigned("trains", 1, 1)});
  StartAgent();
  const auto heartbeat =
      cluster_.AwaitHeartbeat("the death beside the other rank", [](const HeartbeatRequest& request) {
        return request.ranks_size() == 2 && request.ranks(0).phase() == RANK_PHASE_FAILED &&
               request.ranks(1).phase() == RANK_PHASE_TRAINING;
      });
  EXPECT_TRUE(absl::StrContains(heartbeat.ranks(0).message(), "its log ends: ")) << heartbeat.ShortDebugString();
  EXPECT_TRUE(absl::StrContains(heartbeat.ranks(0).message(), "bad sample caf\\xe9.jpg"))
      << heartbeat.ShortDebugString();
}

TEST_F(AgentTest, LeavingItSaysSoAtOnceLetsItsRanksSaveAndSaysGoodbye) {
  cluster_.Assign({Assigned("saves"), Assigned("saves", 1, 1)});
  StartAgent();
  cluster_.AwaitHeartbeat("both train", [](const HeartbeatRequest& request) {
    return request.ranks_size() == 2 && request.ranks(0).phase() == RANK_PHASE_TRAINING &&
           request.ranks(1).phase() == RANK_PHASE_TRAINING;
  });
  const absl::Time began = Clock::Real()->Now();
  agent_->Leave(absl::Seconds(20));
  const auto told =
      cluster_.AwaitHeartbeat("that it leaves", [](const HeartbeatRequest& request) { return request.leaving(); });
  EXPECT_EQ(told.ranks(0).phase(), RANK_PHASE_TRAINING) << "it was said while the ranks still saved";
  EXPECT_TRUE(Soon([&] { return agent_->left(); }));
  EXPECT_GT(Clock::Real()->Now() - began, absl::Milliseconds(500)) << "they had their time";
  EXPECT_LT(Clock::Real()->Now() - began, absl::Seconds(10)) << "and no more";
  const auto last = cluster_.AwaitHeartbeat("the end", [](const HeartbeatRequest&) { return true; });
  EXPECT_EQ(last.ranks(1).phase(), RANK_PHASE_STOPPED) << "heard before the goodbye";
  ASSERT_EQ(cluster_.goodbyes().size(), 1u);
  const LeaveClusterRequest goodbye = cluster_.goodbyes()[0];
  EXPECT_EQ(goodbye.worker_id(), "w0");
  EXPECT_EQ(goodbye.incarnation(), cluster_.registrations()[0].incarnation());
  ASSERT_EQ(goodbye.ranks_size(), 2);
  EXPECT_EQ(goodbye.ranks(0).phase(), RANK_PHASE_STOPPED);
  EXPECT_EQ(goodbye.ranks(0).message(), "");
}

TEST_F(AgentTest, ARankThatDoesNotSaveInTimeIsKilledAndTheGoodbyeSaidAllTheSame) {
  cluster_.Assign({Assigned("stubborn")});
  StartAgent();
  const RankStatus rank = AwaitTraining();
  agent_->Leave(absl::Milliseconds(300));
  EXPECT_TRUE(Soon([&] { return agent_->left(); }));
  EXPECT_FALSE(Lives(rank.pid()));
  ASSERT_EQ(cluster_.goodbyes().size(), 1u);
  EXPECT_EQ(cluster_.goodbyes()[0].ranks(0).phase(), RANK_PHASE_STOPPED);
  EXPECT_TRUE(absl::StrContains(cluster_.goodbyes()[0].ranks(0).message(), "before it had a checkpoint"));
}

TEST_F(AgentTest, ASecondSignalEndsTheGrace) {
  cluster_.Assign({Assigned("stubborn")});
  StartAgent();
  AwaitTraining();
  const absl::Time began = Clock::Real()->Now();
  agent_->Leave(absl::Minutes(10));
  agent_->Leave(absl::ZeroDuration());
  EXPECT_TRUE(Soon([&] { return agent_->left(); }));
  EXPECT_LT(Clock::Real()->Now() - began, absl::Seconds(10));
}

TEST_F(AgentTest, ACoordinatorThatIsAwayKeepsNobodyFromLeaving) {
  cluster_.Assign({Assigned("saves")});
  StartAgent();
  AwaitTraining();
  cluster_.GoAway();
  EXPECT_TRUE(
      Soon([&] { return !MetricsSay("mimeo_worker_heartbeat_failures_total 0") || agent_->Ranks()[0].step() > 100; }));
  agent_->Leave(absl::Seconds(20));
  EXPECT_TRUE(Soon([&] { return agent_->left(); }));
  EXPECT_EQ(agent_->Ranks()[0].phase(), RANK_PHASE_STOPPED) << "its rank saved what it had";
}

TEST_F(AgentTest, AWorkerWithoutRanksLeavesAtOnce) {
  StartAgent();
  cluster_.AwaitHeartbeat("the first", [](const HeartbeatRequest& request) { return !request.worker_id().empty(); });
  agent_->Leave(absl::Minutes(10));
  EXPECT_TRUE(Soon([&] { return agent_->left(); }));
  EXPECT_EQ(cluster_.goodbyes().size(), 1u);
}

TEST_F(AgentTest, ItsEndEndsItsRanks) {
  cluster_.Assign({Assigned("stubborn")});
  StartAgent();
  const RankStatus rank = AwaitTraining();
  agent_.reset();
  EXPECT_FALSE(Lives(rank.pid()));
}

TEST_F(AgentTest, ADirectoryServesOneAgent) {
  StartAgent();
  AgentOptions second;
  second.dir = dir_.path();
  const auto refused = WorkerAgent::Start(second, &metrics_);
  EXPECT_TRUE(absl::IsFailedPrecondition(refused.status())) << refused.status();
  EXPECT_TRUE(absl::StrContains(refused.status().message(), dir_.path())) << refused.status();
}

TEST_F(AgentTest, APathThatNoAddressMayHaveIsNoObstacle) {
  cluster_.Assign({Assigned("trains")});
  StartAgent(JoinPath(dir_.path(), "per%41cent ?x#y caf\xe9"));
  EXPECT_TRUE(Lives(AwaitTraining().pid()));
}

TEST_F(AgentTest, APathThatIsTooLongForASocketIsNoObstacle) {
  cluster_.Assign({Assigned("trains")});
  StartAgent(JoinPath(dir_.path(), std::string(120, 'd')));
  EXPECT_TRUE(Lives(AwaitTraining().pid()));
}

}  // namespace
}  // namespace mimeo
