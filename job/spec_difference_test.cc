#include "job/spec_difference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

JobSpec Spec() {
  JobSpec spec;
  spec.set_seed(7);
  spec.mutable_schedule()->set_epochs(10);
  spec.mutable_schedule()->set_warmup_epochs(0.5);
  spec.add_objective()->set_name("pixels");
  spec.mutable_objective(0)->set_weight(1);
  return spec;
}

TEST(SpecDifferenceTest, EachFieldIsNamedWithBothValues) {
  JobSpec asked = Spec();
  EXPECT_THAT(SpecDifferences(Spec(), asked), IsEmpty());
  asked.set_seed(8);
  asked.mutable_schedule()->set_epochs(20);
  asked.mutable_objective(0)->set_weight(0.5);
  asked.set_init_weights("a\x1b.safetensors");
  EXPECT_THAT(SpecDifferences(Spec(), asked),
              ::testing::UnorderedElementsAre("seed: 8, but 7 in the job", "schedule.epochs: 20, but 10 in the job",
                                              "objective[pixels].weight: 0.5, but 1 in the job",
                                              "init_weights: \"a\\033.safetensors\", but not set in the job"));
  asked = Spec();
  asked.add_objective();
  EXPECT_THAT(SpecDifferences(Spec(), asked), ElementsAre("objective: 2 of them, but 1 in the job"));
}

// A block without fields has no text of its own.
TEST(SpecDifferenceTest, ABlockThatOneHasAloneIsReadable) {
  JobSpec asked = Spec(), of_job = Spec();
  asked.mutable_mask()->mutable_none();
  of_job.mutable_mask()->mutable_random();
  asked.mutable_optimizer()->mutable_adamw()->set_weight_decay(0.5);
  asked.mutable_optimizer()->mutable_adamw()->set_base_rate(0.25);
  EXPECT_THAT(SpecDifferences(of_job, asked),
              ::testing::UnorderedElementsAre(
                  "mask.none: set, but not set in the job", "mask.random: not set, but set in the job",
                  "optimizer: { adamw { base_rate: 0.25 weight_decay: 0.5 } }, but not set in the job"));
}

TEST(SpecDifferenceTest, LengthIsEpochsOrStepsAndAWarmUpOfTheSameShare) {
  JobSpec asked = Spec();
  EXPECT_THAT(DifferencesButLength(Spec(), asked), IsEmpty());
  asked.mutable_schedule()->set_epochs(20);
  asked.mutable_schedule()->set_warmup_epochs(1);
  EXPECT_THAT(DifferencesButLength(Spec(), asked), IsEmpty());
  asked.mutable_schedule()->set_steps(1000);
  asked.mutable_schedule()->set_warmup_steps(50);
  EXPECT_THAT(DifferencesButLength(Spec(), asked), IsEmpty());
  asked.mutable_schedule()->set_min_rate(0.1);
  EXPECT_THAT(DifferencesButLength(Spec(), asked), ElementsAre("schedule.min_rate: 0.1, but not set in the job"));
  asked = Spec();
  asked.mutable_schedule()->set_epochs(20);
  asked.mutable_schedule()->set_warmup_epochs(5);
  EXPECT_THAT(DifferencesButLength(Spec(), asked), ElementsAre("schedule.warmup_epochs: 5, but 0.5 in the job"));
}

}  // namespace
}  // namespace mimeo
