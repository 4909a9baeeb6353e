#include "coordinator/gang_reports.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/text.h"

namespace mimeo {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// j1 runs generation 2: rank 0 and 1 on w0, rank 2 on w1.
JobInfo RunningJob() {
  JobInfo job;
  job.id = "j1";
  job.state = JOB_STATE_RUNNING;
  job.generation = 2;
  job.resume_step = 30;
  job.placement = {"w0", "w0", "w1"};
  job.dataset_digest = "d1";
  return job;
}

RankStatus Says(int rank, RankPhase phase, int64_t step = 0) {
  RankStatus status;
  status.set_job_id("j1");
  status.set_generation(2);
  status.set_rank(rank);
  status.set_phase(phase);
  status.set_step(step);
  return status;
}

RankStatus Fails(int rank, absl::StatusCode code, const std::string& message) {
  RankStatus status = Says(rank, RANK_PHASE_FAILED);
  status.set_status_code(static_cast<int>(code));
  status.set_message(message);
  return status;
}

class GangReportsTest : public ::testing::Test {
 protected:
  std::vector<Event> Heard(const std::vector<RankStatus>& statuses) {
    for (const RankStatus& status : statuses) Hear(job_.placement[status.rank()], status);
    return EventsOf(job_, reports_.Of(job_), now_);
  }

  bool Hear(const std::string& worker, const RankStatus& status) { return reports_.Hear(job_, worker, status, now_); }

  absl::Time now_ = absl::FromUnixSeconds(1000);
  JobInfo job_ = RunningJob();
  GangReports reports_;
};

RankStatus LeavesOut(int64_t hidden, int64_t undecodable, RankPhase phase = RANK_PHASE_TRAINING) {
  RankStatus status = Says(0, phase, 31);
  DataContents* data = status.add_data();
  data->set_field("data.path");
  for (const auto& [reason, count] : std::vector<std::pair<std::string, int64_t>>{
           {"hidden folders", hidden}, {"images that cannot be decoded", undecodable}}) {
    if (count == 0) continue;
    data->add_passed_over()->set_reason(reason);
    data->mutable_passed_over()->rbegin()->set_count(count);
  }
  return status;
}

TEST_F(GangReportsTest, WhatTheDataLeaveOutIsJournalledWhenItIsNewWhenItDoublesAndAtTheEnd) {
  const auto told = [&](const RankStatus& status) {
    const std::vector<Event> events = Heard({status});
    if (events.empty() || !events.front().has_data_described()) return false;
    const auto& data = events.front().data_described().data();
    job_.data.assign(data.begin(), data.end());
    return true;
  };
  EXPECT_FALSE(told(Says(0, RANK_PHASE_TRAINING, 31))) << "nothing is known yet";
  EXPECT_TRUE(told(LeavesOut(2, 0)));
  EXPECT_FALSE(told(LeavesOut(2, 0)));
  EXPECT_TRUE(told(LeavesOut(2, 3))) << "a reason that is new";
  EXPECT_FALSE(told(LeavesOut(2, 5)));
  EXPECT_TRUE(told(LeavesOut(2, 6)));
  EXPECT_FALSE(told(LeavesOut(2, 7)));
  RankStatus other = LeavesOut(9, 9);
  other.set_rank(1);
  EXPECT_TRUE(Hear(job_.placement[1], other));
  EXPECT_FALSE(told(LeavesOut(2, 7))) << "rank 0 speaks for the gang";
  EXPECT_TRUE(told(LeavesOut(2, 7, RANK_PHASE_COMPLETED)));
  EXPECT_EQ(job_.data[0].passed_over(1).count(), 7);
}

TEST_F(GangReportsTest, OnlyWhoShouldRunIsHeard) {
  EXPECT_TRUE(Hear("w1", Says(2, RANK_PHASE_TRAINING, 31)));
  EXPECT_FALSE(Hear("w0", Says(2, RANK_PHASE_TRAINING, 99))) << "rank 2 is not on w0";
  EXPECT_FALSE(Hear("w0", Says(3, RANK_PHASE_TRAINING, 99))) << "there is no rank 3";
  EXPECT_FALSE(Hear("w0", Says(-1, RANK_PHASE_TRAINING, 99)));
  RankStatus old = Says(0, RANK_PHASE_FAILED, 99);
  old.set_generation(1);
  EXPECT_FALSE(Hear("w0", old)) << "generation 1 is fenced";
  EXPECT_EQ(reports_.Of(job_).step, 31);
  EXPECT_EQ(reports_.Of(job_).ranks.size(), 1u);
}

RankStatus Misses(int rank) {
  RankStatus status = Says(rank, RANK_PHASE_TRAINING, 31);
  status.set_waiting_for("data /photos: no such file or folder");
  status.set_waits_for_data(true);
  return status;
}

TEST_F(GangReportsTest, WhereDataAreMissedIsKnownSinceTheRankThatHasWaitedLongest) {
  RankStatus teacher = Says(2, RANK_PHASE_TRAINING, 31);
  teacher.set_waiting_for("teacher clip");
  EXPECT_TRUE(Heard({teacher}).empty());
  EXPECT_TRUE(DataWaitOf(job_, reports_.Of(job_)).workers.empty()) << "it is away for all hosts";
  const absl::Time first = now_;
  EXPECT_TRUE(Heard({Misses(1)}).empty());
  now_ += absl::Seconds(5);
  EXPECT_TRUE(Heard({Misses(1), Misses(0), Misses(2)}).empty());
  DataWait wait = DataWaitOf(job_, reports_.Of(job_));
  EXPECT_EQ(wait.since, first);
  ASSERT_EQ(wait.workers.size(), 2u);
  EXPECT_EQ(wait.workers[0].worker_id(), "w0");
  EXPECT_EQ(wait.workers[0].message(), "does not see what it waits for: data /photos: no such file or folder");
  EXPECT_EQ(wait.workers[1].worker_id(), "w1");
  EXPECT_TRUE(Heard({Says(0, RANK_PHASE_TRAINING, 32), Says(1, RANK_PHASE_TRAINING, 32)}).empty());
  wait = DataWaitOf(job_, reports_.Of(job_));
  EXPECT_EQ(wait.since, now_);
  EXPECT_EQ(wait.workers.size(), 1u);
}

TEST_F(GangReportsTest, AGangThatMovesForItsDataNamesTheWorkersAndIsNoFailure) {
  EXPECT_TRUE(Heard({Misses(2)}).empty());
  GangReport& gang = reports_.Of(job_);
  gang.told_to_stop = true;
  gang.moves_from = DataWaitOf(job_, gang).workers;
  const std::vector<Event> events =
      Heard({Says(0, RANK_PHASE_STOPPED, 31), Says(1, RANK_PHASE_STOPPED, 31), Says(2, RANK_PHASE_STOPPED, 31)});
  ASSERT_EQ(events.size(), 1u);
  const GangEnded& ended = events[0].gang_ended();
  EXPECT_EQ(ended.end(), GANG_END_STOPPED);
  EXPECT_EQ(ended.reason(), "moves: w1 does not see what it waits for: data /photos: no such file or folder");
  ASSERT_EQ(ended.failures_size(), 1);
  EXPECT_EQ(ended.failures(0).worker_id(), "w1");
  EXPECT_TRUE(DataWaitOf(job_, gang).workers.empty()) << "they have ended";
}

TEST_F(GangReportsTest, SpeedAndProgressAreNoNews) {
  RankStatus status = Says(0, RANK_PHASE_TRAINING, 31);
  EXPECT_TRUE(Hear("w0", status));
  status.set_images_per_second(17);
  status.set_progress(1000);
  status.mutable_quiet()->set_seconds(3);
  status.mutable_patience()->set_seconds(60);
  EXPECT_FALSE(Hear("w0", status));
  EXPECT_EQ(reports_.Of(job_).ranks.at(0).progress(), 1000) << "kept all the same";
  status.set_waiting_for("teacher clip");
  EXPECT_TRUE(Hear("w0", status));
}

TEST_F(GangReportsTest, ANewGenerationStartsAtItsCheckpointAndForgetsTheOneBefore) {
  Hear("w0", Says(0, RANK_PHASE_TRAINING, 57));
  reports_.Of(job_).told_to_stop = true;
  job_.generation = 3;
  job_.resume_step = 50;
  EXPECT_EQ(reports_.Find(job_), nullptr);
  const GangReport& gang = reports_.Of(job_);
  EXPECT_EQ(gang.step, 50);
  EXPECT_TRUE(gang.ranks.empty());
  EXPECT_FALSE(gang.told_to_stop);
}

TEST_F(GangReportsTest, NothingFollowsWhileSomebodyTrains) {
  EXPECT_TRUE(
      Heard({Says(0, RANK_PHASE_COMPLETED), Says(1, RANK_PHASE_COMPLETED), Says(2, RANK_PHASE_TRAINING)}).empty());
  EXPECT_TRUE(EventsOf(job_, GangReport(), now_).empty());
}

TEST_F(GangReportsTest, CompletedWhenAllAre) {
  const auto events =
      Heard({Says(0, RANK_PHASE_COMPLETED), Says(1, RANK_PHASE_COMPLETED), Says(2, RANK_PHASE_COMPLETED)});
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].gang_ended().end(), GANG_END_COMPLETED);
  EXPECT_EQ(events[0].gang_ended().generation(), 2);
}

// Told to stop just when they were done: one made it, the others did not.
TEST_F(GangReportsTest, StoppedWhenAllHaveEndedAndWereTold) {
  reports_.Of(job_).told_to_stop = true;
  EXPECT_TRUE(Heard({Says(0, RANK_PHASE_COMPLETED), Says(1, RANK_PHASE_STOPPED)}).empty());
  const auto events = Heard({Says(2, RANK_PHASE_STOPPED)});
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].gang_ended().end(), GANG_END_STOPPED);
}

TEST_F(GangReportsTest, ARankThatStopsUntoldHasFailedButNotForGood) {
  const auto events = Heard({Says(1, RANK_PHASE_STOPPED)});
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].gang_ended().end(), GANG_END_FAILED);
  EXPECT_FALSE(events[0].gang_ended().permanent());
  EXPECT_EQ(events[0].gang_ended().reason(), "rank 1 on w0: stopped without being told to");
}

TEST_F(GangReportsTest, WhatFollowsFromAFailuresCode) {
  struct Case {
    absl::StatusCode code;
    bool permanent, needs_person, blames;
  };
  const std::vector<Case> cases = {
      {absl::StatusCode::kInvalidArgument, true, false, false},
      {absl::StatusCode::kFailedPrecondition, false, true, false},
      {absl::StatusCode::kUnavailable, false, false, true},
      {absl::StatusCode::kInternal, false, false, true},
      {absl::StatusCode::kDeadlineExceeded, false, false, true},
      {absl::StatusCode::kDataLoss, false, false, true},
      {absl::StatusCode::kUnknown, false, false, true},
      {absl::StatusCode::kNotFound, false, false, true},
      {absl::StatusCode::kAborted, false, false, true},
  };
  Hear("w0", Says(0, RANK_PHASE_TRAINING, 31));  // the gang has got on
  for (const Case& c : cases) {
    const auto events = Heard({Fails(2, c.code, "it broke")});
    ASSERT_EQ(events.size(), 1u);
    const GangEnded& ended = events[0].gang_ended();
    EXPECT_EQ(ended.permanent(), c.permanent) << c.code;
    EXPECT_EQ(ended.needs_person(), c.needs_person) << c.code;
    EXPECT_EQ(ended.status_code(), static_cast<int>(c.code));
    EXPECT_EQ(ended.reason(), "rank 2 on w1: it broke");
    ASSERT_EQ(ended.failures_size(), c.blames ? 1 : 0) << c.code;
    if (!c.blames) continue;
    EXPECT_EQ(ended.failures(0).worker_id(), "w1");
    EXPECT_EQ(ended.failures(0).message(), "it broke");
    EXPECT_EQ(ended.failures(0).status_code(), static_cast<int>(c.code));
  }
}

// Before the first step another host may see the right data, or have the right device: it is asked before a person is.
TEST_F(GangReportsTest, AFailedPreconditionAtTheStartMayBeTheHosts) {
  const auto events = Heard({Fails(2, absl::StatusCode::kFailedPrecondition, "the data have changed")});
  ASSERT_EQ(events.size(), 1u);
  EXPECT_FALSE(events[0].gang_ended().needs_person());
  ASSERT_EQ(events[0].gang_ended().failures_size(), 1);
}

// Whoever only lost its peer is not to blame, and does not speak first.
TEST_F(GangReportsTest, TheRankThatBrokeIsAwaitedAndBlamedAndNotThoseThatLostIt) {
  EXPECT_TRUE(
      Heard({Fails(0, absl::StatusCode::kAborted, "[gloo] Connection closed by peer [127.0.0.1]:4000")}).empty());
  now_ += absl::Seconds(1);
  EXPECT_TRUE(Heard({Fails(1, absl::StatusCode::kUnavailable, "the gang's store, at rank 0, is gone")}).empty());
  const auto events = Heard({Fails(2, absl::StatusCode::kUnavailable, "killed by SIGKILL (9)")});
  ASSERT_EQ(events.size(), 1u);
  const GangEnded& ended = events[0].gang_ended();
  EXPECT_THAT(ended.reason(), StartsWith("rank 2 on w1: killed by SIGKILL (9); rank 0 on w0"));
  ASSERT_EQ(ended.failures_size(), 1);
  EXPECT_EQ(ended.failures(0).worker_id(), "w1");
}

// Its host lost power, say: nobody will ever hear from it, and those that are left are innocent.
TEST_F(GangReportsTest, WhenTheRankThatBrokeIsNeverHeardNobodyIsBlamed) {
  EXPECT_TRUE(Heard({Fails(0, absl::StatusCode::kAborted, "Connection closed by peer"),
                     Fails(1, absl::StatusCode::kAborted, "Connection closed by peer")})
                  .empty());
  now_ += kLostPeerPatience;
  const auto events = EventsOf(job_, reports_.Of(job_), now_);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].gang_ended().end(), GANG_END_FAILED);
  EXPECT_EQ(events[0].gang_ended().failures_size(), 0);
}

TEST_F(GangReportsTest, WhenAllLostEachOtherAllAreNamed) {
  const auto events = Heard({Fails(0, absl::StatusCode::kAborted, "connection reset by peer"),
                             Fails(1, absl::StatusCode::kAborted, "connection reset by peer"),
                             Fails(2, absl::StatusCode::kAborted, "connection reset by peer")});
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].gang_ended().failures_size(), 2) << "one of each worker";
}

TEST_F(GangReportsTest, AGangWhoseWorkerLeavesEndsWithoutAFailure) {
  GangReport& gang = reports_.Of(job_);
  gang.told_to_stop = true;
  gang.emptied = gang.leaving = {"w1"};
  EXPECT_TRUE(
      Heard({Says(0, RANK_PHASE_STOPPED), Fails(2, absl::StatusCode::kUnavailable, "killed by SIGKILL (9)")}).empty());
  const auto events = Heard({Fails(1, absl::StatusCode::kAborted, "Connection closed by peer")});
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].gang_ended().end(), GANG_END_STOPPED);
  EXPECT_EQ(events[0].gang_ended().reason(), "moves: w1 leaves");
}

TEST_F(GangReportsTest, AFailureOfItsOwnCountsThoughAnotherWorkerLeaves) {
  GangReport& gang = reports_.Of(job_);
  gang.told_to_stop = true;
  gang.emptied = gang.leaving = {"w1"};
  const auto events = Heard({Fails(0, absl::StatusCode::kInternal, "it broke")});
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].gang_ended().end(), GANG_END_FAILED);
}

// One rank could read the data: that must not be forgotten because another could not.
TEST_F(GangReportsTest, DataThatOneRankReadArePinnedBeforeAnothersFailure) {
  job_.dataset_digest.clear();
  RankStatus read = Says(0, RANK_PHASE_JOINING);
  read.set_dataset_digest("d7");
  const auto events = Heard({Fails(2, absl::StatusCode::kNotFound, "data.path: photos: no such folder"), read});
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].dataset_pinned().digest(), "d7");
}

TEST_F(GangReportsTest, ReasonsSayWhatRanksDoAndForHowLongTheyAreQuiet) {
  RankStatus status = Says(0, RANK_PHASE_JOINING);
  status.set_doing("lists images (12000 so far)");
  status.mutable_quiet()->set_seconds(3);
  status.mutable_patience()->set_seconds(60);
  Hear("w0", status);
  RankStatus waits = Says(1, RANK_PHASE_TRAINING, 31);
  waits.set_waiting_for("teacher clip");
  Hear("w0", waits);
  EXPECT_THAT(RankReasons(reports_.Of(job_)),
              ::testing::ElementsAre("rank 1 stands still at step 31: waits for teacher clip",
                                     "rank 0: lists images (12000 so far); quiet for 3s of 1m"));
  job_.placement.assign(100, "w0");
  for (int rank = 0; rank < 100; ++rank) {
    status.set_rank(rank);
    Hear("w0", status);
  }
  const std::vector<std::string> reasons = RankReasons(reports_.Of(job_));
  EXPECT_EQ(reasons.size(), 9u);
  EXPECT_EQ(reasons.back(), "and 92 more ranks");
}

// The others' collectives fail because of the one that really broke: it comes first.
TEST_F(GangReportsTest, ThePermanentFailureIsNamedFirst) {
  const auto events = Heard({Fails(0, absl::StatusCode::kUnavailable, "connection closed by peer"),
                             Fails(2, absl::StatusCode::kInvalidArgument, "no images in photos")});
  ASSERT_EQ(events.size(), 1u);
  EXPECT_TRUE(events[0].gang_ended().permanent());
  EXPECT_EQ(events[0].gang_ended().status_code(), static_cast<int>(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(events[0].gang_ended().reason(),
            "rank 2 on w1: no images in photos; rank 0 on w0: connection closed by peer");
}

TEST_F(GangReportsTest, ReasonsAreBoundedText) {
  job_.placement.assign(100, "w0");
  std::vector<RankStatus> statuses;
  for (int rank = 0; rank < 100; ++rank) {
    std::string message = "\x1b[31m";
    for (int i = 0; i < 2000; ++i) {
      message += "\xe5\x86\x99";  // a character of three bytes, so that a cut may fall inside it
    }
    statuses.push_back(Fails(rank, absl::StatusCode::kInternal, message));
  }
  const auto events = Heard(statuses);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_LE(events[0].gang_ended().reason().size(), size_t{limits::kReasonBytes});
  EXPECT_TRUE(IsUtf8(events[0].gang_ended().reason()));
  EXPECT_THAT(events[0].gang_ended().reason(), StartsWith("rank 0 on w0: \\x1b[31m"));
  ASSERT_EQ(events[0].gang_ended().failures_size(), 1);
  EXPECT_LE(events[0].gang_ended().failures(0).message().size(), size_t{limits::kShortReasonBytes});
  EXPECT_TRUE(IsUtf8(events[0].gang_ended().failures(0).message()));
  for (RankStatus& status : statuses) status.set_message("x");
  EXPECT_THAT(Heard(statuses)[0].gang_ended().reason(), HasSubstr("and 96 more ranks"));
}

TEST_F(GangReportsTest, TheFirstDigestIsPinnedAndAnotherOneIsThatHostsFailure) {
  job_.dataset_digest.clear();
  RankStatus status = Says(1, RANK_PHASE_JOINING);
  status.set_dataset_digest("d7");
  status.set_num_samples(100);
  status.set_total_steps(50);
  auto events = Heard({status});
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].dataset_pinned().digest(), "d7");
  EXPECT_EQ(events[0].dataset_pinned().num_samples(), 100);
  EXPECT_EQ(events[0].dataset_pinned().total_steps(), 50);
  job_.dataset_digest = "d7";
  EXPECT_TRUE(EventsOf(job_, reports_.Of(job_), now_).empty());
  status.set_rank(2);
  status.set_dataset_digest("d8");
  events = Heard({status});
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].gang_ended().status_code(), static_cast<int>(absl::StatusCode::kFailedPrecondition));
  ASSERT_EQ(events[0].gang_ended().failures_size(), 1);
  EXPECT_EQ(events[0].gang_ended().failures(0).worker_id(), "w1");
  EXPECT_THAT(events[0].gang_ended().reason(), HasSubstr("rank 2 on w1: data"));
  EXPECT_THAT(events[0].gang_ended().reason(), HasSubstr("d8, but the job's is d7"));
}

}  // namespace
}  // namespace mimeo
