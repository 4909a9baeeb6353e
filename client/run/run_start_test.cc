#include "client/run/run_start.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "job/job_spec.h"

namespace mimeo {
namespace {

using testing::HasSubstr;

// A small job with every default, as a plan has it.
JobSpec Resolved() {
  JobSpec spec;
  spec.mutable_data()->set_path("/photos");
  spec.mutable_data()->set_global_batch(8);
  spec.mutable_data()->set_image_px(16);
  VitSpec* vit = spec.mutable_encoder()->mutable_vit();
  vit->set_patch_px(8);
  vit->set_width(8);
  vit->set_depth(1);
  vit->set_heads(1);
  ObjectiveSpec* pixels = spec.add_objective();
  pixels->set_name("pixels");
  pixels->mutable_reconstruction()->set_decoder_width(8);
  pixels->mutable_reconstruction()->set_decoder_depth(1);
  pixels->mutable_reconstruction()->set_decoder_heads(1);
  ObjectiveSpec* mimic = spec.add_objective();
  mimic->set_name("mimic");
  mimic->mutable_mimic()->set_teacher("clip");
  spec.mutable_schedule()->set_steps(2);
  const auto resolved = ResolveJobSpec(spec);
  EXPECT_TRUE(resolved.ok()) << resolved.status();
  return resolved.value_or(spec);
}

class RunStartTest : public testing::Test {
 protected:
  RunStartTest() {
    plan_.out = "/results/mae";
    plan_.spec = Resolved();
    plan_.text = JobSpecText(plan_.spec);
    job_.set_id("j3");
    *job_.mutable_spec() = plan_.spec;
    job_.set_want(WANT_RUN);
    job_.set_reason("the images changed");
  }
  RunStart Start() {
    const auto start = DecideStart(&job_, plan_);
    EXPECT_TRUE(start.ok()) << start.status();
    return start.value_or(RunStart());
  }

  RunPlan plan_;
  Job job_;
};

TEST_F(RunStartTest, AnUnfinishedJobGoesOn) {
  EXPECT_EQ(DecideStart(nullptr, plan_)->kind, RunStart::kSubmit);
  for (const JobState state : {JOB_STATE_PENDING, JOB_STATE_RUNNING}) {
    job_.set_state(state);
    EXPECT_EQ(Start().kind, RunStart::kFollow) << state;
  }
  job_.set_want(WANT_PAUSE);
  for (const JobState state : {JOB_STATE_RUNNING, JOB_STATE_PAUSED}) {
    job_.set_state(state);
    EXPECT_EQ(Start().kind, RunStart::kResume) << state;
    EXPECT_EQ(Start().note, "");
  }
  job_.set_status_code(9);
  job_.set_checkpoint_step(40);
  EXPECT_EQ(Start().note, "the job in this folder was paused (the images changed); it goes on from step 40");
}

TEST_F(RunStartTest, AFailedJobGoesOnFromItsCheckpointAndBeginsAnewOnlyWithoutOne) {
  job_.set_state(JOB_STATE_FAILED);
  job_.set_checkpoint_step(1790);
  EXPECT_EQ(Start().kind, RunStart::kResume);
  EXPECT_EQ(Start().note, "the job in this folder had failed (the images changed); it goes on from step 1790");
  job_.set_checkpoint_step(0);
  EXPECT_EQ(Start().kind, RunStart::kSubmit);
  EXPECT_THAT(Start().note, HasSubstr("had failed (the images changed); it begins anew"));
  job_.set_state(JOB_STATE_CANCELLED);
  job_.set_checkpoint_step(1790);
  EXPECT_EQ(Start().kind, RunStart::kSubmit) << "cancelled is for good";
}

TEST_F(RunStartTest, AFinishedJobIsDoneAndGoesOnForLonger) {
  job_.set_state(JOB_STATE_SUCCEEDED);
  job_.set_checkpoint_step(2);
  EXPECT_EQ(Start().kind, RunStart::kDone);
  plan_.spec.mutable_schedule()->set_steps(40);
  plan_.spec.mutable_schedule()->set_warmup_steps(2);
  plan_.text = JobSpecText(plan_.spec);
  EXPECT_EQ(Start().kind, RunStart::kExtend);
  EXPECT_THAT(Start().note, HasSubstr("goes on from step 2 with the longer schedule"));
  JobSpec shorter = job_.spec();
  *job_.mutable_spec() = plan_.spec;
  plan_.spec = shorter;
  plan_.text = JobSpecText(plan_.spec);
  EXPECT_EQ(Start().kind, RunStart::kDone) << "it was made longer than the recipe of the folder says";
  plan_.spec = job_.spec();
  plan_.text = JobSpecText(plan_.spec);
  *job_.mutable_spec() = shorter;
  job_.set_state(JOB_STATE_PAUSED);
  EXPECT_THAT(DecideStart(&job_, plan_).status().message(),
              testing::AllOf(HasSubstr("schedule.steps: 40, but 2 in the job"), HasSubstr("finish it first")));
  job_.set_state(JOB_STATE_SUCCEEDED);
  plan_.spec.set_seed(8);
  plan_.text = JobSpecText(plan_.spec);
  EXPECT_THAT(DecideStart(&job_, plan_).status().message(), HasSubstr("seed: 8, but 0 in the job"));
}

TEST_F(RunStartTest, AnotherJobsStepsAreNotLostEither) {
  job_.mutable_spec()->set_seed(8);
  job_.set_checkpoint_step(40);
  for (const JobState state : {JOB_STATE_PAUSED, JOB_STATE_RUNNING, JOB_STATE_FAILED}) {
    job_.set_state(state);
    EXPECT_EQ(DecideStart(&job_, plan_).status().code(), absl::StatusCode::kAlreadyExists) << state;
  }
}

// Fields that this version added have the defaults that the job had without them.
TEST_F(RunStartTest, AnEarlierVersionsJobGoesOn) {
  job_.set_state(JOB_STATE_PAUSED);
  job_.mutable_spec()->mutable_objective(1)->mutable_mimic()->clear_tokens();
  EXPECT_TRUE(DecideStart(&job_, plan_).ok());
}

TEST_F(RunStartTest, AJobThatWasNeverTrainedIsNoHindranceForAnotherOne) {
  job_.mutable_spec()->set_seed(8);
  for (const JobState state : {JOB_STATE_FAILED, JOB_STATE_CANCELLED}) {
    job_.set_state(state);
    EXPECT_EQ(Start().kind, RunStart::kSubmit) << state;
  }
}

TEST_F(RunStartTest, APersonsPauseIsTakenBackAlsoWhileItsRanksStillSave) {
  job_.set_state(JOB_STATE_RUNNING);
  job_.set_want(WANT_PAUSE);
  job_.set_status_code(9);
  EXPECT_EQ(Start().kind, RunStart::kResume);
  EXPECT_EQ(Start().note, "the job in this folder was paused (the images changed); it begins again");
  job_.set_checkpoint_step(std::numeric_limits<int64_t>::max());
  EXPECT_THAT(Start().note, HasSubstr("it goes on from step 9223372036854775807"));
}

TEST_F(RunStartTest, AStateOfALaterVersionIsFollowed) {
  job_.set_state(static_cast<JobState>(77));
  EXPECT_EQ(Start().kind, RunStart::kFollow);
}

TEST_F(RunStartTest, TheRefusalNamesTheFolderAsText) {
  plan_.out = "/results/caf\xe9\x1b[2J";
  job_.mutable_spec()->set_seed(8);
  job_.set_state(JOB_STATE_PAUSED);
  EXPECT_EQ(DecideStart(&job_, plan_).status().message(),
            "--out /results/caf\\xe9\\x1b[2J holds the unfinished run of another job:\nseed: 0, but 8 in the job\n"
            "take another folder");
}

TEST_F(RunStartTest, TheSameCommandGoesOnWhereACoordinatorSaysResume) {
  job_.set_reason("the data broke three times. `mimeo resume j3` goes on from step 10");
  job_.set_why("Restore the images and `mimeo resume` the job, or submit a new one; `mimeo resume j33` is another's");
  PutIntoWordsOfRun(&job_);
  EXPECT_EQ(job_.reason(), "the data broke three times. the same command goes on from step 10");
  EXPECT_EQ(job_.why(),
            "Restore the images and give the same command again, or submit a new one; `mimeo resume j33` is another's");
}

}  // namespace
}  // namespace mimeo
