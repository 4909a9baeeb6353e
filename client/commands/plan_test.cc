// The command line of `mimeo plan`: what is refused, and plans for GPUs and clusters. tests/e2e/plan_test.cc probes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "absl/strings/str_split.h"
#include "client/commands/testing/command_line.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using testing::CommandLine;
using ::testing::HasSubstr;
using testing::Outcome;
using testing::SmallRecipe;

class PlanVerbTest : public ::testing::Test {
 protected:
  CommandLine line_{AddPlan};
};

TEST_F(PlanVerbTest, EveryMistakeOfTheRecipeIsNamed) {
  const Outcome refused = line_.Run({"plan", line_.File("recipe", SmallRecipe()), "--device", "h100", "--set", "sed=1",
                                     "--set", "encoder.vit.patch_px=7"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.errors, AllOf(HasSubstr("sed"), HasSubstr("patch_px")));
}

TEST_F(PlanVerbTest, AnUnknownGpuIsRefusedWithTheKnownOnes) {
  const Outcome refused = line_.Run({"plan", line_.File("recipe", SmallRecipe()), "--device", "h1000"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.errors, AllOf(HasSubstr("h1000"), HasSubstr("rtx4090")));
}

TEST_F(PlanVerbTest, AGpuThatIsNotHereIsEstimated) {
  const Outcome plan = line_.Run({"plan", line_.File("recipe", SmallRecipe(500)), "--device", "l4", "-o", "json"});
  EXPECT_EQ(plan.code, 0) << plan.errors;
  const auto json = nlohmann::json::parse(plan.out);
  EXPECT_EQ(json["steps"], 500);
  EXPECT_EQ(json["time"]["how"], "estimate, never measured");
  EXPECT_GT(json["time"]["images_per_second"], 0);
  EXPECT_GT(json["parameters"]["encoder"], 50000);
}

// What a script asks by the exit code: whether the job would ever train there.
TEST_F(PlanVerbTest, AClustersWorkersAreNamedAndWhetherTheyAreEnough) {
  line_.StartCoordinator();
  const std::string recipe = line_.File("recipe", SmallRecipe());
  const Outcome none = line_.Run({"plan", recipe});
  EXPECT_EQ(none.code, 1);
  EXPECT_THAT(none.out, HasSubstr("workers: none has registered"));
  line_.RegisterWorker("w1", 1);
  EXPECT_EQ(line_.Run({"plan", recipe}).code, 0);
  const Outcome two = line_.Run({"plan", recipe, "--workers", "2"});
  EXPECT_EQ(two.code, 1) << two.errors;
  EXPECT_THAT(two.out,
              AllOf(HasSubstr("w1"), HasSubstr("1 free slot, suits"), HasSubstr("the workers that suit have 1")));
  for (const absl::string_view line : absl::StrSplit(two.out, '\n')) EXPECT_LE(line.size(), 80u) << line;
  const Outcome cuda = line_.Run({"plan", recipe, "--set", "resources.device=DEVICE_CUDA", "-o", "json"});
  EXPECT_EQ(cuda.code, 1);
  const auto json = nlohmann::json::parse(cuda.out);
  ASSERT_EQ(json["problems"].size(), 1u);
  EXPECT_THAT(json["problems"][0].get<std::string>(), AllOf(HasSubstr("none of 1 suits"), HasSubstr("w1 has no CUDA")));
}

TEST_F(PlanVerbTest, NobodyAnswersAtTheServer) {
  const Outcome plan = line_.Run({"plan", line_.File("recipe", SmallRecipe())});
  EXPECT_EQ(plan.code, 3);
  EXPECT_THAT(plan.errors, HasSubstr("nobody answers at 127.0.0.1:1"));
}

}  // namespace
}  // namespace mimeo
