#include "client/job_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/text.h"
#include "client/testing/told.h"

namespace mimeo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::Running;

TEST(RankTextTest, SaysWhatItDoesHowLongItIsQuietAndWhichTeachersItSpokeTo) {
  RankStatus rank;
  rank.set_rank(2);
  rank.set_phase(RANK_PHASE_STARTING);
  rank.set_pid(77);
  rank.set_doing("lists images (12000 so far)\x1b");
  rank.mutable_quiet()->set_seconds(12);
  rank.mutable_patience()->set_seconds(120);
  rank.set_bad_samples(3);
  rank.add_teachers()->set_name("clip");
  rank.mutable_teachers(0)->set_weights_digest("0123456789abcdef");
  EXPECT_EQ(RankText(rank),
            "rank 2: starting pid 77 step 0, lists images (12000 so far)\\x1b, quiet 12s of 120s, 3 bad samples, "
            "teacher clip, weights 0123456789ab");
}

TEST(QuietRanksTextTest, NamesThoseThatHaveNotBegunAndTheQuietestFirst) {
  Job job;
  for (int i = 0; i < 40; ++i) {
    RankStatus* rank = job.add_ranks();
    rank->set_rank(i);
    rank->set_phase(i == 3 ? RANK_PHASE_JOINING : RANK_PHASE_TRAINING);
    rank->set_step(5);
    rank->set_doing("step 5");
    rank->mutable_quiet()->set_seconds(i >= 20 ? i : 0);
  }
  job.mutable_ranks(39)->set_waiting_for("teacher clip");  // the coordinator says so itself
  const std::string text = QuietRanksText(job);
  EXPECT_EQ(text.substr(0, 8), "rank 38:");
  EXPECT_THAT(text, HasSubstr("and 4 ranks more\n"));
  EXPECT_THAT(text, Not(HasSubstr("rank 39")));
}

TEST(EndTextTest, SaysHowToGoOn) {
  Job job = Running(50, 120);
  job.set_state(JOB_STATE_PAUSED);
  job.set_reason("the images changed");
  job.set_checkpoint_step(40);
  EXPECT_EQ(EndText(job),
            "j1 is paused: the images changed\nonce that is mended, `mimeo resume j1` goes on from step 40");
  job.set_state(JOB_STATE_FAILED);
  job.set_checkpoint_step(0);
  EXPECT_EQ(EndText(job), "j1 has failed: the images changed\nonce that is mended, `mimeo resume j1` begins it again");
  job.set_state(JOB_STATE_CANCELLED);
  EXPECT_EQ(EndText(job), "j1 was cancelled: the images changed");
}

TEST(RankTextTest, APhaseOfALaterVersionIsItsNumber) {
  RankStatus rank;
  rank.set_phase(static_cast<RankPhase>(77));
  EXPECT_EQ(RankText(rank), "rank 0: unknown (77) pid 0 step 0");
}

TEST(StepsTextTest, ATotalThatIsNotKnownIsLeftOut) {
  EXPECT_EQ(StepsText(Running(7, 0)), "7");
  EXPECT_EQ(StepsText(Running(std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::min())),
            "9223372036854775807/-9223372036854775808");
}

TEST(RankTextTest, WhateverARankSaysIsOneLineOfBoundedLength) {
  RankStatus rank;
  const std::string odd = "caf\xe9\x1b[2J\nmimeo: done\xe2\x80\xae" + std::string(5000, 'x');
  rank.set_waiting_for(odd);
  rank.set_doing(odd);
  rank.set_message(odd);
  TeacherContract* teacher = rank.add_teachers();
  teacher->set_name(odd);
  teacher->set_family(odd);
  teacher->set_weights_digest("0123456789a\xc3\xa9");  // its twelfth byte is the first half of a character
  const std::string text = RankText(rank);
  EXPECT_EQ(text, ToText(text, text.size() + 8)) << "nothing in it is no text";
  EXPECT_LT(text.size(), 3000u);
  EXPECT_THAT(text, HasSubstr("weights 0123456789a\\xc3: "));
}

TEST(RankTextTest, CountsOfOneAreSaidAsOne) {
  RankStatus rank;
  rank.set_bad_samples(1);
  EXPECT_THAT(RankText(rank), HasSubstr(", 1 bad sample"));
  EXPECT_THAT(RankText(rank), Not(HasSubstr("bad samples")));
  rank.mutable_quiet()->set_seconds(-5);
  rank.mutable_patience()->set_seconds(120);
  EXPECT_THAT(RankText(rank), Not(HasSubstr("quiet")));
}

TEST(JobTextTest, HasARowForEachFactALineForEachRankAndTheRecipe) {
  Job job = Running(7, 0);
  job.set_reason("waits for slots\nsince noon");
  job.add_worker_ids("w0");
  job.add_worker_ids("w\x1b[2J");
  job.mutable_spec()->set_name("tiny");
  job.add_ranks()->set_pid(12);
  job.mutable_ranks(0)->mutable_utilization()->set_step_seconds(1);
  job.add_teachers()->set_name("clip");
  job.add_data()->set_field("data.path");
  job.mutable_data(0)->add_passed_over()->set_reason("hidden files");
  job.mutable_data(0)->mutable_passed_over(0)->set_count(3);
  const std::string text = JobText(job);
  EXPECT_THAT(text, HasSubstr("\ndata.path leaves out hidden files: 3\n"));
  EXPECT_THAT(text, HasSubstr("reason      waits for slots; since noon\n"));
  EXPECT_THAT(text, HasSubstr("checkpoint  none yet\n"));
  EXPECT_THAT(text, HasSubstr("workers     w0, w\\x1b[2J\n"));
  EXPECT_THAT(text, HasSubstr("pid 12 step 0\n  step 1.000s: compute 1.000s"));
  EXPECT_THAT(text, HasSubstr("pinned: teacher clip, weights \n"));
  EXPECT_THAT(text, HasSubstr("\n\nname: \"tiny\""));
  job.set_checkpoint_step(40);
  EXPECT_THAT(JobText(job), HasSubstr("checkpoint  step 40\n"));
}

TEST(QuietRanksTextTest, OneRankMoreIsSaidAsOneAndNoneIsNothing) {
  Job job;
  EXPECT_EQ(QuietRanksText(job), "");
  for (int i = 0; i < 17; ++i) job.add_ranks()->set_phase(RANK_PHASE_JOINING);
  for (RankStatus& rank : *job.mutable_ranks()) rank.set_doing("joins");
  EXPECT_THAT(QuietRanksText(job), HasSubstr("\nand 1 rank more\n"));
}

TEST(EndTextTest, AReasonIsText) {
  Job job = Running(50, 120);
  job.set_state(JOB_STATE_FAILED);
  job.set_reason("data.path: caf\xe9\x1b[2J\nrank 1: the same");
  EXPECT_EQ(
      EndText(job),
      "j1 has failed: data.path: caf\\xe9\\x1b[2J\nrank 1: the same\nonce that is mended, `mimeo resume j1` begins "
      "it again");
}

}  // namespace
}  // namespace mimeo
