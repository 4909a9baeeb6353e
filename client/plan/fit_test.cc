// Whatever is proposed is tried: every recipe, on machines of many sizes, and each proposal typed behind the recipe.
#include "client/plan/fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "client/plan/job_plan.h"
#include "job/job_spec.h"

namespace mimeo {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr int64_t kGiB = int64_t{1} << 30;

// As it is written, not resolved.
std::vector<JobSpec> Recipes() {
  const std::string folder = absl::StrCat(std::getenv("TEST_SRCDIR"), "/", std::getenv("TEST_WORKSPACE"), "/recipes");
  std::vector<JobSpec> recipes;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".textproto") continue;
    recipes.push_back(ParseRecipe(ReadFile(entry.path().string()).value(), entry.path().string()).value());
    recipes.back().mutable_data()->set_path("/photos");
  }
  return recipes;
}

// The recipe with what a person copies of "--workers 2 --set a=b (what it costs)".
JobSpec Typed(JobSpec recipe, const std::string& proposal) {
  const std::string flags = proposal.substr(0, proposal.find(" ("));
  const std::vector<std::string> words = absl::StrSplit(flags, ' ');
  for (size_t i = 0; i + 1 < words.size(); i += 2) {
    int workers = 0;
    if (words[i] == "--workers" && absl::SimpleAtoi(words[i + 1], &workers)) {
      recipe.mutable_resources()->set_num_ranks(workers);
    } else {
      EXPECT_EQ(words[i], "--set") << proposal;
      EXPECT_TRUE(SetField(words[i + 1], &recipe).ok()) << proposal;
    }
  }
  return recipe;
}

Place Host(int64_t memory) {
  Place place;
  place.cores = 2;
  place.bfloat16 = true;
  place.memory_bytes = memory;
  return place;
}

Place Gpu(int64_t memory) {
  Place place;
  place.device = DEVICE_CUDA;
  place.slots = 2;
  place.bfloat16 = true;
  place.memory_bytes = memory;
  return place;
}

JobPlan PlanOf(const JobSpec& resolved, const Place& place, int64_t images) {
  PlanFacts facts;
  facts.spec = resolved;
  facts.place = place;
  facts.images = images;
  return MakeJobPlan(std::move(facts));
}

struct Tried {
  int proposals = 0;
  int nothing_fits = 0;
};

void TryAll(const JobSpec& recipe, const Place& place, int64_t images, Tried* tried) {
  const JobPlan plan = PlanOf(ResolveJobSpec(recipe).value(), place, images);
  if (plan.problems.empty()) return;
  const std::string what =
      absl::StrCat(recipe.name(), " at ", place.memory_bytes, " bytes, ", images, " images: ", plan.problems[0]);
  EXPECT_NE(plan.remedies.proposals.empty(), plan.remedies.none.empty()) << what;
  tried->nothing_fits += plan.remedies.proposals.empty() ? 1 : 0;
  for (const std::string& proposal : plan.remedies.proposals) {
    const auto resolved = ResolveJobSpec(Typed(recipe, proposal));
    ASSERT_TRUE(resolved.ok()) << what << "; " << proposal << ": " << resolved.status();
    EXPECT_THAT(PlanOf(*resolved, place, images).problems, IsEmpty()) << what << "; " << proposal;
    ++tried->proposals;
  }
}

TEST(WhatWouldFitTest, EveryProposalForEveryRecipeMakesItFit) {
  Tried tried;
  const std::vector<JobSpec> recipes = Recipes();
  ASSERT_GT(recipes.size(), 30u);
  for (const JobSpec& recipe : recipes) {
    for (const int64_t gib : {1, 4, 22, 120}) TryAll(recipe, Host(gib * kGiB), 0, &tried);
    for (const int64_t gib : {2, 8}) TryAll(recipe, Gpu(gib * kGiB), 1'300'000, &tried);
    TryAll(recipe, Host(22 * kGiB), 60, &tried);
    Place old_host = Host(22 * kGiB);
    old_host.bfloat16 = false;
    TryAll(recipe, old_host, 0, &tried);
  }
  EXPECT_GT(tried.proposals, 100);
  EXPECT_GT(tried.nothing_fits, 10);
}

TEST(WhatWouldFitTest, RunSaysTheSameAsPlan) {
  int refused = 0;
  for (const JobSpec& recipe : Recipes()) {
    const JobSpec resolved = ResolveJobSpec(recipe).value();
    const Place place = Host(6 * kGiB);
    const auto warnings = WarningsBeforeStart(resolved, place);
    if (warnings.ok()) continue;
    ++refused;
    const JobPlan plan = PlanOf(resolved, place, 1'300'000);
    const std::string message(warnings.status().message());
    for (const std::string& proposal : plan.remedies.proposals) EXPECT_THAT(message, HasSubstr(proposal));
    EXPECT_THAT(message, HasSubstr(plan.remedies.none));
  }
  EXPECT_GT(refused, 3);
}

TEST(WhatWouldFitTest, WhereNothingFitsTheLeastNeedIsSaid) {
  JobSpec recipe;
  for (const JobSpec& one : Recipes()) {
    if (one.name() == "mae_h") recipe = one;
  }
  const JobPlan plan = PlanOf(ResolveJobSpec(recipe).value(), Host(8 * kGiB), 0);
  EXPECT_THAT(plan.remedies.proposals, IsEmpty());
  EXPECT_THAT(plan.remedies.none, HasSubstr("nothing would make it fit into the 7.6 GiB"));
  EXPECT_THAT(plan.remedies.none, HasSubstr("with --workers 1 --set resources.micro_batch=1"));
  EXPECT_THAT(JobPlanText(plan), HasSubstr("nothing would make it fit"));
  for (const std::string& warning : plan.warnings) EXPECT_THAT(warning, Not(HasSubstr("is faster")));
}

}  // namespace
}  // namespace mimeo
