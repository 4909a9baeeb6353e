#include "coordinator/gang_reports.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "base/limits.h"

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
    for (const RankStatus& status : statuses) reports_.Hear(job_, job_.placement[status.rank()], status);
    return EventsOf(job_, reports_.Of(job_));
  }

  JobInfo job_ = RunningJob();
  GangReports reports_;
};

TEST_F(GangReportsTest, OnlyWhoShouldRunIsHeard) {
  EXPECT_TRUE(reports_.Hear(job_, "w1", Says(2, RANK_PHASE_TRAINING, 31)));
  EXPECT_FALSE(reports_.Hear(job_, "w0", Says(2, RANK_PHASE_TRAINING, 99))) << "rank 2 is not on w0";
  EXPECT_FALSE(reports_.Hear(job_, "w0", Says(3, RANK_PHASE_TRAINING, 99))) << "there is no rank 3";
  EXPECT_FALSE(reports_.Hear(job_, "w0", Says(-1, RANK_PHASE_TRAINING, 99)));
  RankStatus old = Says(0, RANK_PHASE_FAILED, 99);
  old.set_generation(1);
  EXPECT_FALSE(reports_.Hear(job_, "w0", old)) << "generation 1 is fenced";
  EXPECT_EQ(reports_.Of(job_).step, 31);
  EXPECT_EQ(reports_.Of(job_).ranks.size(), 1u);
}

TEST_F(GangReportsTest, SpeedAloneIsNoNews) {
  RankStatus status = Says(0, RANK_PHASE_TRAINING, 31);
  EXPECT_TRUE(reports_.Hear(job_, "w0", status));
  status.set_images_per_second(17);
  EXPECT_FALSE(reports_.Hear(job_, "w0", status));
  status.set_waiting_for("teacher clip");
  EXPECT_TRUE(reports_.Hear(job_, "w0", status));
}

TEST_F(GangReportsTest, ANewGenerationStartsAtItsCheckpointAndForgetsTheOneBefore) {
  reports_.Hear(job_, "w0", Says(0, RANK_PHASE_TRAINING, 57));
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
  EXPECT_TRUE(Heard({Says(0, RANK_PHASE_COMPLETED), Says(1, RANK_PHASE_COMPLETED), Says(2, RANK_PHASE_TRAINING)}).empty());
  EXPECT_TRUE(EventsOf(job_, GangReport()).empty());
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

TEST_F(GangReportsTest, WhichFailuresAreForGood) {
  const std::vector<std::pair<absl::StatusCode, bool>> cases = {
      {absl::StatusCode::kInvalidArgument, true},   {absl::StatusCode::kFailedPrecondition, true},
      {absl::StatusCode::kUnavailable, false},      {absl::StatusCode::kInternal, false},
      {absl::StatusCode::kDeadlineExceeded, false}, {absl::StatusCode::kDataLoss, false},
      {absl::StatusCode::kUnknown, false},
  };
  for (const auto& [code, permanent] : cases) {
    const auto events = Heard({Fails(2, code, "it broke")});
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].gang_ended().permanent(), permanent) << code;
    EXPECT_EQ(events[0].gang_ended().status_code(), static_cast<int>(code));
    EXPECT_EQ(events[0].gang_ended().reason(), "rank 2 on w1: it broke");
  }
}

// The others' collectives fail because of the one that really broke: it comes first.
TEST_F(GangReportsTest, ThePermanentFailureIsNamedFirst) {
  const auto events = Heard({Fails(0, absl::StatusCode::kUnavailable, "connection closed by peer"),
                             Fails(2, absl::StatusCode::kInvalidArgument, "no images in photos")});
  ASSERT_EQ(events.size(), 1u);
  EXPECT_TRUE(events[0].gang_ended().permanent());
  EXPECT_EQ(events[0].gang_ended().status_code(), static_cast<int>(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(events[0].gang_ended().reason(), "rank 2 on w1: no images in photos; rank 0 on w0: connection closed by peer");
}

TEST_F(GangReportsTest, ReasonsAreBounded) {
  job_.placement.assign(100, "w0");
  std::vector<RankStatus> statuses;
  for (int rank = 0; rank < 100; ++rank) {
    statuses.push_back(Fails(rank, absl::StatusCode::kInternal, std::string(2000, 'x')));
  }
  const auto events = Heard(statuses);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_LE(events[0].gang_ended().reason().size(), size_t{limits::kReasonBytes});
  EXPECT_THAT(events[0].gang_ended().reason(), StartsWith("rank 0 on w0: xxx"));
  for (RankStatus& status : statuses) status.set_message("x");
  EXPECT_THAT(Heard(statuses)[0].gang_ended().reason(), HasSubstr("and 96 more ranks"));
}

TEST_F(GangReportsTest, TheFirstDigestIsPinnedAndAnotherOneIsAPermanentFailure) {
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
  EXPECT_TRUE(EventsOf(job_, reports_.Of(job_)).empty());
  status.set_rank(2);
  status.set_dataset_digest("d8");
  events = Heard({status});
  ASSERT_EQ(events.size(), 1u);
  EXPECT_TRUE(events[0].gang_ended().permanent());
  EXPECT_THAT(events[0].gang_ended().reason(), HasSubstr("rank 2 on w1: data"));
  EXPECT_THAT(events[0].gang_ended().reason(), HasSubstr("d8, but the job's is d7"));
}

}  // namespace
}  // namespace mimeo
