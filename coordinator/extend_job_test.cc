#include "coordinator/extend_job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/status_matchers.h"
#include "coordinator/testing/cluster_script.h"
#include "job/job_spec.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using testing::StatusIs;

JobInfo Finished() {
  JobInfo job;
  job.id = "j1";
  job.spec = *ResolveJobSpec(testing::ScriptJob(1));
  job.num_samples = 400;
  return job;
}

JobSpec With(const std::string& assignment) {
  JobSpec spec = testing::ScriptJob(1);
  EXPECT_OK(SetField(assignment, &spec));
  return *ResolveJobSpec(spec);
}

TEST(ExtendJobTest, MoreStepsAreAnExtensionWithTheirWarmup) {
  ASSERT_OK_AND_ASSIGN(const Event event, ExtensionOf(Finished(), With("schedule.steps=250"), "anna"));
  EXPECT_EQ(event.job_extended().total_steps(), 250);
  EXPECT_EQ(event.job_extended().spec().schedule().warmup_steps(), 12) << "the same share of the schedule";
  EXPECT_EQ(event.job_extended().user(), "anna");
}

TEST(ExtendJobTest, EpochsMayTakeThePlaceOfSteps) {
  JobSpec spec = testing::ScriptJob(1);
  spec.mutable_schedule()->clear_steps();
  spec.mutable_schedule()->set_epochs(3);
  ASSERT_OK_AND_ASSIGN(const Event event, ExtensionOf(Finished(), *ResolveJobSpec(spec), ""));
  EXPECT_EQ(event.job_extended().total_steps(), 300) << "of 400 samples in batches of 4";
}

TEST(ExtendJobTest, EachOtherFieldIsNamedWithBothValues) {
  JobSpec spec = testing::ScriptJob(1);
  ASSERT_OK(SetField("schedule.steps=200", &spec));
  ASSERT_OK(SetField("schedule.warmup_steps=90", &spec));
  ASSERT_OK(SetField("seed=7", &spec));
  ASSERT_OK(SetField("objective[reconstruction].weight=0.5", &spec));
  const absl::Status refused = ExtensionOf(Finished(), *ResolveJobSpec(spec), "").status();
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kFailedPrecondition, "seed: 7, but 0 in the job"));
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kFailedPrecondition,
                                "objective[reconstruction].weight: 0.5, but 1 in the job"));
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kFailedPrecondition, "schedule.warmup_steps: 90, but 5 in the job"));
}

}  // namespace
}  // namespace mimeo
