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

TEST(SpecDifferenceTest, LengthIsEpochsOrStepsAndTheWarmUp) {
  JobSpec asked = Spec();
  EXPECT_TRUE(DifferInLengthOnly(Spec(), asked));
  asked.mutable_schedule()->set_epochs(20);
  asked.mutable_schedule()->set_warmup_epochs(1);
  EXPECT_TRUE(DifferInLengthOnly(Spec(), asked));
  asked.mutable_schedule()->set_min_rate(0.1);
  EXPECT_FALSE(DifferInLengthOnly(Spec(), asked));
  asked = Spec();
  asked.set_seed(8);
  EXPECT_FALSE(DifferInLengthOnly(Spec(), asked));
}

}  // namespace
}  // namespace mimeo
