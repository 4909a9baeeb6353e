#include "client/job_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mimeo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Job Running(int64_t step, int64_t total) {
  Job job;
  job.set_id("j1");
  job.set_state(JOB_STATE_RUNNING);
  job.set_step(step);
  job.set_total_steps(total);
  job.set_generation(1);
  return job;
}

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

}  // namespace
}  // namespace mimeo
