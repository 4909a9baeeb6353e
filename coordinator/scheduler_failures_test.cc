// What the scheduler does after failures: back-off, whom it avoids, when a job fails and when it waits for a person.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "coordinator/testing/simulation.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Simulation;

// Seconds until the job runs again; -1 when it does not within ten minutes.
int Pause(Simulation* cluster, const std::string& job, const std::vector<std::string>& workers) {
  for (int second = 0; second <= 600; ++second) {
    cluster->Settle();
    if (cluster->job(job).state == JOB_STATE_RUNNING) return second;
    cluster->Beat(1, workers);
  }
  return -1;
}

TEST(SchedulerFailuresTest, WhereThereIsOneHostFiveFailuresOverTwoMinutesPauseTheJob) {
  Simulation cluster;
  cluster.AddWorker("w0", 1);
  const std::string id = cluster.Submit(1);
  int seconds = Pause(&cluster, id, {"w0"});
  std::vector<int> pauses;
  for (int failure = 1; failure <= 4; ++failure) {
    cluster.Fail(id, absl::StatusCode::kInternal);
    pauses.push_back(Pause(&cluster, id, {"w0"}));
    seconds += pauses.back();
  }
  EXPECT_THAT(pauses, ElementsAre(8, 16, 32, 64));
  EXPECT_GE(seconds, 120);
  cluster.Fail(id, absl::StatusCode::kInternal);
  cluster.Settle();
  EXPECT_EQ(cluster.job(id).state, JOB_STATE_PAUSED);
  EXPECT_THAT(cluster.ExplainNow(id).at(0), HasSubstr("5 generations failed in a row"));
  EXPECT_THAT(cluster.ExplainNow(id).at(0),
              HasSubstr("`mimeo resume j1` goes on from the beginning; the last failure: data.path: it broke"));
  cluster.Want(id, WANT_RUN);
  cluster.Settle();
  EXPECT_EQ(cluster.job(id).state, JOB_STATE_RUNNING) << "a person forgave what failed";
  EXPECT_EQ(cluster.job(id).failures_in_a_row, 0);
}

TEST(SchedulerFailuresTest, ExplainCountsTheBackOffDown) {
  Simulation cluster;
  cluster.AddWorker("w0", 1);
  const std::string id = cluster.Submit(1);
  cluster.Settle();
  cluster.Fail(id, absl::StatusCode::kInternal);
  cluster.Beat(3, {"w0"});
  EXPECT_EQ(cluster.ExplainNow(id).at(0), "restarts in 5s, after failure 1 of 5 in a row: data.path: it broke");
  EXPECT_THAT(cluster.ExplainNow(id).at(1), HasSubstr("w0: blamed 1.0, rests for 5s; forgotten in "));
}

// A rank that the kernel killed after hours of training: the gang comes back at once, on the same host if it must.
TEST(SchedulerFailuresTest, AGangThatGotOnRestartsAtOnceTheFirstTime) {
  Simulation cluster;
  cluster.AddWorker("w0", 1);
  const std::string id = cluster.Submit(1);
  cluster.Settle();
  cluster.Fail(id, absl::StatusCode::kUnavailable, true);
  EXPECT_EQ(Pause(&cluster, id, {"w0"}), 0);
  cluster.Fail(id, absl::StatusCode::kUnavailable, true);
  EXPECT_EQ(Pause(&cluster, id, {"w0"}), 16);
}

TEST(SchedulerFailuresTest, ItMovesToAnotherHostAtOnceButDoesNotSweepARack) {
  Simulation cluster;
  std::vector<std::string> workers;
  for (int i = 0; i < 6; ++i) {
    workers.push_back(absl::StrCat("w", i));
    cluster.AddWorker(workers.back(), 1);
  }
  const std::string id = cluster.Submit(1);
  cluster.Settle();
  std::set<std::string> tried;
  std::vector<int> pauses;
  for (int failure = 1; failure <= 4; ++failure) {
    EXPECT_TRUE(tried.insert(cluster.job(id).placement.front()).second) << "it went back";
    cluster.Fail(id, absl::StatusCode::kInternal);
    pauses.push_back(Pause(&cluster, id, workers));
  }
  EXPECT_THAT(pauses, ElementsAre(0, 0, 32, 64));
  for (const std::string& worker : tried) {
    EXPECT_GT(cluster.scheduler().blame().Of(worker, cluster.now()), 0.5) << worker;
  }
  cluster.Fail(id, absl::StatusCode::kInternal);
  cluster.Settle();
  EXPECT_EQ(cluster.job(id).state, JOB_STATE_PAUSED);
  for (const std::string& worker : tried) {
    EXPECT_EQ(cluster.scheduler().blame().Of(worker, cluster.now()), 0)
        << "the job failed everywhere: it was not " << worker;
  }
}

// It failed there; the other host is busy for an hour: it waits for that.
TEST(SchedulerFailuresTest, AHostThatFailedThisJobIsTakenAgainOnlyWhereNoOtherWouldDo) {
  Simulation cluster;
  cluster.AddWorker("bad", 1);
  const std::string id = cluster.Submit(1);
  cluster.Settle();
  cluster.AddWorker("good", 1);
  const std::string busy = cluster.Submit(1);
  cluster.Settle();
  ASSERT_THAT(cluster.job(busy).placement, ElementsAre("good"));
  cluster.Fail(id, absl::StatusCode::kInternal);
  cluster.Beat(600, {"bad", "good"});
  EXPECT_EQ(cluster.job(id).state, JOB_STATE_PENDING);
  EXPECT_THAT(cluster.ExplainNow(id).at(0), HasSubstr("bad 1 of 1 (it failed there), good 0 of 1 (j2 holds 1)"));
  cluster.Beat(61, {"bad"});  // the other one is given up
  EXPECT_THAT(cluster.job(id).placement, ElementsAre("bad"));
}

// Ten jobs, one slot on each of two hosts, and one of them fails whatever it is given.
TEST(SchedulerFailuresTest, OneBadHostDoesNotEatTheQueue) {
  Simulation cluster;
  cluster.AddWorker("bad", 1);
  cluster.AddWorker("good", 1);
  for (int i = 0; i < 10; ++i) cluster.Submit(1);
  cluster.Settle();
  int failures = 0;
  for (int second = 0; second < 300 && cluster.state().NumJobs(JOB_STATE_SUCCEEDED) < 10; ++second) {
    for (const auto& [id, job] :
         std::map<std::string, JobInfo>(cluster.state().jobs().begin(), cluster.state().jobs().end())) {
      if (job.placement.empty()) continue;
      if (job.placement.front() == "bad")
        cluster.Fail(id, absl::StatusCode::kNotFound), ++failures;
      else if (second % 10 == 9) {
        cluster.End(id, GANG_END_COMPLETED);
      }
    }
    cluster.Beat(1, {"bad", "good"});
  }
  EXPECT_EQ(cluster.state().NumJobs(JOB_STATE_SUCCEEDED), 10);
  EXPECT_LE(failures, 6) << "the bad host did not rest longer after each";
}

TEST(SchedulerFailuresTest, APathThatNobodyEverReadIsRefusedWhenAnotherHostSaysTheSame) {
  Simulation cluster;
  cluster.AddWorker("w0", 1);
  cluster.AddWorker("w1", 1);
  cluster.AddWorker("w2", 1);
  const std::string id = cluster.Submit(1);
  cluster.Settle();
  EXPECT_THAT(cluster.job(id).placement, ElementsAre("w0"));
  cluster.Fail(id, absl::StatusCode::kNotFound);
  cluster.Settle();
  EXPECT_THAT(cluster.job(id).placement, ElementsAre("w1"));
  EXPECT_GT(cluster.scheduler().blame().Of("w0", cluster.now()), 0.9);
  cluster.Fail(id, absl::StatusCode::kNotFound);
  cluster.Settle();
  EXPECT_EQ(cluster.job(id).state, JOB_STATE_FAILED);
  EXPECT_EQ(cluster.job(id).reason, "data.path: it broke (another worker says the same)");
  EXPECT_EQ(cluster.scheduler().blame().Of("w0", cluster.now()), 0) << "it was the job's own mistake";
}

TEST(SchedulerFailuresTest, APathThatNobodyEverReadIsRefusedAtOnceWhereThereIsNobodyElseToAsk) {
  Simulation cluster;
  cluster.AddWorker("w0", 1);
  const std::string id = cluster.Submit(1);
  cluster.Settle();
  cluster.Fail(id, absl::StatusCode::kPermissionDenied);
  cluster.Settle();
  EXPECT_EQ(cluster.job(id).state, JOB_STATE_FAILED);
  EXPECT_THAT(cluster.ExplainNow(id).at(1), HasSubstr("`mimeo resume j1`"));
  cluster.Want(id, WANT_RUN);
  cluster.Settle();
  EXPECT_EQ(cluster.job(id).state, JOB_STATE_RUNNING);
}

TEST(SchedulerFailuresTest, APathThatWasReadBeforeIsWaitedFor) {
  Simulation cluster;
  cluster.AddWorker("w0", 1);
  const std::string id = cluster.Submit(1);
  cluster.Settle();
  cluster.PinData(id);
  cluster.Fail(id, absl::StatusCode::kNotFound);
  EXPECT_EQ(Pause(&cluster, id, {"w0"}), 8);
}

// The data were read, but evaluation.path was not: it is mistyped. Once a gang of the job has trained, it was there.
TEST(SchedulerFailuresTest, AnotherPathThatNobodyEverReadIsRefusedToo) {
  for (const bool trained : {false, true}) {
    Simulation cluster;
    cluster.AddWorker("w0", 1);
    const std::string id = cluster.Submit(1);
    cluster.Settle();
    cluster.PinData(id);
    if (trained) cluster.Fail(id, absl::StatusCode::kUnavailable, true);
    cluster.Settle();
    cluster.Fail(id, absl::StatusCode::kNotFound, false, "evaluation.path: no such folder");
    cluster.Settle();
    EXPECT_EQ(cluster.job(id).state, trained ? JOB_STATE_PENDING : JOB_STATE_FAILED);
  }
}

// After a restart of the coordinator nobody has been heard: that there is another host is known all the same.
TEST(SchedulerFailuresTest, ARestartOfTheCoordinatorDoesNotMakeItTheOnlyHost) {
  Simulation cluster;
  cluster.AddWorker("w0", 1);
  cluster.AddWorker("w1", 1);
  const std::string id = cluster.Submit(1);
  cluster.Settle();
  cluster.Fail(id, absl::StatusCode::kNotFound);
  Scheduler again(&cluster.state(), SchedulerOptions());
  again.Begin(cluster.now());
  EXPECT_TRUE(again.Decide(cluster.now()).empty());
  EXPECT_GT(again.blame().Of("w0", cluster.now()), 0.9) << "the job remembers it";
  again.HearWorker("w0", cluster.now());
  EXPECT_TRUE(again.Decide(cluster.now()).empty()) << "it failed there";
  again.HearWorker("w1", cluster.now());
  ASSERT_EQ(again.Decide(cluster.now()).size(), 1u);
}

// Data that changed, another teacher: another host may see the right ones. If not, a person must mend it, and the job
// can go on.
TEST(SchedulerFailuresTest, WhatAPersonMustMendPausesTheJobOnceAnotherHostSaysTheSame) {
  Simulation cluster;
  cluster.AddWorker("w0", 1);
  cluster.AddWorker("w1", 1);
  const std::string id = cluster.Submit(1);
  cluster.Settle();
  cluster.PinData(id);
  cluster.CommitCheckpoint(id, 10);
  cluster.Fail(id, absl::StatusCode::kFailedPrecondition);
  cluster.Settle();
  EXPECT_THAT(cluster.job(id).placement, ElementsAre("w1"));
  cluster.Fail(id, absl::StatusCode::kFailedPrecondition);
  cluster.Settle();
  EXPECT_EQ(cluster.job(id).state, JOB_STATE_PAUSED);
  EXPECT_THAT(cluster.job(id).reason, HasSubstr("`mimeo resume j1` goes on from step 10"));
  cluster.Want(id, WANT_RUN);
  cluster.Settle();
  EXPECT_EQ(cluster.job(id).resume_step, 10);
}

// Without retries a job still does not fail for the first host that cannot see its data.
TEST(SchedulerFailuresTest, AJobWithoutRestartsAsksAnotherHostAndPausesForAnythingElse) {
  Simulation cluster;
  cluster.AddWorker("w0", 1);
  cluster.AddWorker("w1", 1);
  const std::string id = cluster.Submit(1, 0, 0);
  cluster.Settle();
  cluster.Fail(id, absl::StatusCode::kNotFound);
  cluster.Settle();
  EXPECT_THAT(cluster.job(id).placement, ElementsAre("w1"));
  const std::string other = cluster.Submit(1, 0, 0);
  cluster.Beat(20, {"w0", "w1"});
  ASSERT_EQ(cluster.job(other).state, JOB_STATE_RUNNING);
  cluster.Fail(other, absl::StatusCode::kInternal);
  cluster.Settle();
  EXPECT_EQ(cluster.job(other).state, JOB_STATE_PAUSED);
}

// A job that breaks wherever it runs does not take a lone host from the others.
TEST(SchedulerFailuresTest, OneBadJobDoesNotKeepOthersFromALoneHost) {
  Simulation cluster;
  cluster.AddWorker("w0", 1);
  const std::string bad = cluster.Submit(1);
  cluster.Settle();
  const std::string good = cluster.Submit(1);
  for (int failure = 0; failure < 3; ++failure) {
    cluster.Fail(bad, absl::StatusCode::kInternal);
    cluster.Settle();
    EXPECT_EQ(cluster.job(good).state, JOB_STATE_RUNNING) << failure;
    cluster.Beat(100, {"w0"});
    cluster.End(good, GANG_END_STOPPED);
    cluster.Settle();
    ASSERT_EQ(cluster.job(bad).state, JOB_STATE_RUNNING) << failure;
  }
}

TEST(SchedulerFailuresTest, AWorkerThatMissesThreeBeatsIsOfferedNothing) {
  Simulation cluster;
  cluster.AddWorker("a", 1);
  cluster.AddWorker("b", 1);
  cluster.Advance(absl::Seconds(4));
  cluster.Hear("b");
  const std::string first = cluster.Submit(1);
  const std::string second = cluster.Submit(1);
  cluster.Settle();
  EXPECT_THAT(cluster.job(first).placement, ElementsAre("b")) << "the alphabet decided";
  EXPECT_EQ(cluster.job(second).state, JOB_STATE_PENDING);
  const std::vector<std::string> why = cluster.ExplainNow(second);
  EXPECT_THAT(why.at(0), HasSubstr("free: a 1 of 1 (given nothing now), b 0 of 1 (j1 holds 1)"));
  EXPECT_THAT(why, ::testing::Contains("a: silent 4 s; given up at 60 s"));
  cluster.Hear("a");
  cluster.Settle();
  EXPECT_THAT(cluster.job(second).placement, ElementsAre("a"));
}

TEST(SchedulerFailuresTest, ADrainedOrLeavingWorkerIsOfferedNothingAndHoldsNobodyUp) {
  Simulation cluster;
  cluster.AddWorker("w0", 2);
  cluster.AddWorker("w1", 1);
  cluster.Drain("w0", true);
  const std::string large = cluster.Submit(2);
  const std::string small = cluster.Submit(1);
  cluster.Settle();
  EXPECT_EQ(cluster.job(large).state, JOB_STATE_PENDING);
  EXPECT_THAT(cluster.job(small).placement, ElementsAre("w1"));
  EXPECT_THAT(cluster.ExplainNow(large), ::testing::Contains("w0: drained by a person"));
  cluster.scheduler().HearWorker("w0", cluster.now(), true);
  cluster.Drain("w0", false);
  cluster.Settle();
  EXPECT_EQ(cluster.job(large).state, JOB_STATE_PENDING) << "it leaves";
  cluster.scheduler().HearWorker("w0", cluster.now(), false);
  cluster.Settle();
  EXPECT_EQ(cluster.job(large).state, JOB_STATE_RUNNING);
}

}  // namespace
}  // namespace mimeo
