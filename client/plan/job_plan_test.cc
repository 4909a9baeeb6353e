#include "client/plan/job_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/columns.h"
#include "job/job_spec.h"

namespace mimeo {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int64_t kGiB = int64_t{1} << 30;

// MAE with ViT-S: 22 M parameters and a decoder of 26 M.
JobSpec MaeS(const std::string& resources = "num_ranks: 8 micro_batch: 128",
             const std::string& schedule = "epochs: 10") {
  return ResolveJobSpec(
             ParseRecipe(
                 "name: \"mae_s\" data { path: \"/photos\" global_batch: 1024 } encoder { vit { width: 384 "
                 "depth: 12 heads: 6 } } objective { name: \"pixels\" reconstruction {} } optimizer { adamw {} } "
                 "schedule { " +
                     schedule + " } resources { " + resources + " }",
                 "test")
                 .value())
      .value();
}

Place Laptop(int cores, int64_t memory) {
  Place place;
  place.name = "this machine: some CPU";
  place.cores = cores;
  place.memory_bytes = memory;
  place.device_name = "some CPU";
  return place;
}

PlanFacts Facts(const JobSpec& spec, const Place& place, int64_t images = 10300) {
  PlanFacts facts;
  facts.spec = spec;
  facts.place = place;
  facts.images = images;
  facts.why_no_probe = "--no_probe";
  return facts;
}

TEST(JobPlanTest, CountsStepsAndImages) {
  const JobPlan plan = MakeJobPlan(Facts(MaeS(), Laptop(8, 1000 * kGiB)));
  EXPECT_EQ(plan.steps_per_epoch, 10);
  EXPECT_EQ(plan.steps, 100);
  EXPECT_EQ(plan.images_seen, 102400);
  EXPECT_EQ(plan.checkpoints_kept, 1) << "every 100 steps";
  EXPECT_NEAR(plan.gflop_per_image, 39.0, 0.1);
  EXPECT_EQ(plan.images_per_second, 0) << "nobody knows this CPU's peak";
  EXPECT_THAT(plan.problems, IsEmpty());
  EXPECT_THAT(plan.warnings, IsEmpty());
}

TEST(JobPlanTest, WithoutPhotosWhatFollowsFromThemIsNotKnown) {
  const JobPlan plan = MakeJobPlan(Facts(MaeS(), Laptop(8, 1000 * kGiB), 0));
  EXPECT_EQ(plan.steps, 0);
  EXPECT_THAT(JobPlanText(plan), HasSubstr("--data"));
  const auto json = nlohmann::json::parse(JobPlanJson(plan));
  EXPECT_TRUE(json["steps"].is_null());
  EXPECT_TRUE(json["time"]["seconds"].is_null());
  EXPECT_EQ(MakeJobPlan(Facts(MaeS("num_ranks: 8", "steps: 70"), Laptop(8, 1000 * kGiB), 0)).steps, 70);
}

TEST(JobPlanTest, EightWorkersOnTwoCoresAreSaidToBe) {
  const JobPlan plan = MakeJobPlan(Facts(MaeS(), Laptop(2, 1000 * kGiB)));
  EXPECT_THAT(plan.problems, IsEmpty());
  EXPECT_THAT(plan.warnings, ElementsAre(HasSubstr("8 workers on 2 cores")));
  EXPECT_THAT(plan.warnings[0], HasSubstr("--workers 2"));
}

TEST(JobPlanTest, WhatDoesNotFitComesWithWhatDoes) {
  const JobPlan roomy = MakeJobPlan(Facts(MaeS(), Laptop(8, 1000 * kGiB)));
  EXPECT_EQ(roomy.all_ranks_peak_bytes, roomy.rank_peak_bytes + 7 * roomy.memory.steps());
  const JobPlan tight = MakeJobPlan(Facts(MaeS(), Laptop(8, roomy.all_ranks_peak_bytes / 2)));
  EXPECT_THAT(tight.problems, ElementsAre(HasSubstr("8 ranks need")));
  EXPECT_THAT(tight.remedies.proposals, Contains(HasSubstr("resources.micro_batch=")));
  EXPECT_THAT(tight.remedies.proposals, Contains(HasSubstr("activation_checkpointing=true")));
  EXPECT_THAT(tight.remedies.proposals, Contains(HasSubstr("--workers 2")))
      << "4 would need about half, and a checkpoint";
  // What is proposed fits.
  JobSpec spec = MaeS();
  ASSERT_TRUE(SetField("resources.micro_batch=32", &spec).ok());
  EXPECT_THAT(MakeJobPlan(Facts(spec, Laptop(8, roomy.all_ranks_peak_bytes / 2))).problems, IsEmpty());
}

TEST(JobPlanTest, AProbeIsBelieved) {
  PlanFacts facts = Facts(MaeS(), Laptop(8, 1000 * kGiB));
  Probe probe;
  probe.images_per_second = 64, probe.step_seconds = 16, probe.start_seconds = 20, probe.steps = 3;
  probe.peak_memory_bytes = 3 * kGiB;
  facts.probe = probe;
  const JobPlan plan = MakeJobPlan(facts);
  EXPECT_TRUE(plan.measured);
  EXPECT_EQ(plan.seconds, 20 + 99 * 16);
  EXPECT_EQ(plan.rank_peak_bytes, plan.memory.Peak(3 * kGiB));
  EXPECT_THAT(JobPlanText(plan), HasSubstr("64 images/s, measured over 3 steps"));
}

TEST(JobPlanTest, ARateFromADataSheetIsAnEstimate) {
  PlanFacts facts = Facts(MaeS("num_ranks: 1 micro_batch: 128 precision: PRECISION_BF16"), NamedDevice("h100").value());
  const JobPlan plan = MakeJobPlan(facts);
  EXPECT_FALSE(plan.measured);
  EXPECT_NEAR(plan.images_per_second, 0.3 * 989.4e3 / plan.gflop_per_image, 1);
  EXPECT_THAT(absl::StrReplaceAll(JobPlanText(plan), {{"\n              ", " "}}),
              HasSubstr("estimate, never measured"));
  EXPECT_EQ(nlohmann::json::parse(JobPlanJson(plan))["time"]["how"], "estimate, never measured");
}

TEST(JobPlanTest, TooFewImagesAndABatchThatFits) {
  const JobPlan plan = MakeJobPlan(Facts(MaeS(), Laptop(8, 1000 * kGiB), 100));
  EXPECT_THAT(plan.problems, ElementsAre(HasSubstr("100 images, fewer than data.global_batch 1024")));
  EXPECT_THAT(plan.remedies.proposals, ElementsAre("--set data.global_batch=24 --set resources.micro_batch=3"));
}

PlanFacts OnCluster(int slots, int slots_in_all) {
  PlanFacts facts = Facts(MaeS(), Place());
  facts.place.cluster = true;
  facts.place.slots = slots, facts.place.slots_in_all = slots_in_all;
  WorkerFit worker;
  worker.id = "w1", worker.slots = slots;
  facts.workers = {worker};
  return facts;
}

TEST(JobPlanTest, AClusterWithTooFewFreeSlotsMakesTheJobWait) {
  const JobPlan plan = MakeJobPlan(OnCluster(5, 16));
  EXPECT_THAT(plan.problems, IsEmpty());
  EXPECT_THAT(plan.warnings, ElementsAre(HasSubstr("wants 8 slots at once, and 5 are free")));
  EXPECT_THAT(plan.remedies.proposals, ElementsAre(HasSubstr("--workers 4")));
}

TEST(JobPlanTest, AClusterThatNeverHasTheSlotsIsAProblem) {
  const JobPlan plan = MakeJobPlan(OnCluster(5, 5));
  EXPECT_THAT(plan.problems, ElementsAre(HasSubstr("the workers that suit have 5 in all")));
  EXPECT_THAT(plan.remedies.proposals, ElementsAre(HasSubstr("--workers 4")));
}

TEST(JobPlanTest, AClusterInWhichNoWorkerSuitsIsAProblem) {
  PlanFacts facts = OnCluster(0, 0);
  facts.workers[0].refused = "has no CUDA device";
  const JobPlan none = MakeJobPlan(facts);
  EXPECT_THAT(none.problems, ElementsAre(HasSubstr("none of 1 suits")));
  EXPECT_THAT(none.problems[0], HasSubstr("w1 has no CUDA device"));
  facts.workers.clear();
  EXPECT_THAT(MakeJobPlan(facts).problems, ElementsAre(HasSubstr("none has registered")));
}

TEST(WarningsBeforeStartTest, AreSaidAndARunThatCannotFitIsRefused) {
  const auto fits = WarningsBeforeStart(MaeS(), Laptop(2, 1000 * kGiB));
  ASSERT_TRUE(fits.ok());
  EXPECT_THAT(*fits, ElementsAre(HasSubstr("8 workers on 2 cores")));
  const JobPlan plan = MakeJobPlan(Facts(MaeS(), Laptop(8, 0), 0));
  const auto close = WarningsBeforeStart(MaeS(), Laptop(8, plan.all_ranks_peak_bytes - 1));
  ASSERT_TRUE(close.ok()) << "by an estimate nobody is refused";
  EXPECT_THAT(*close, ElementsAre(HasSubstr("by estimate memory: 8 ranks need")));
  const auto refused = WarningsBeforeStart(MaeS(), Laptop(8, plan.all_ranks_peak_bytes / 3));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("would fit: --set resources.micro_batch="));
}

TEST(WarningsBeforeStartTest, ADeviceThatCannotComputeTheJobIsRefusedWithWhatWouldBeRight) {
  JobSpec spec = MaeS();
  spec.mutable_resources()->set_precision(PRECISION_BF16);
  Place laptop = Laptop(8, 1000 * kGiB);
  laptop.bfloat16 = true;
  EXPECT_TRUE(WarningsBeforeStart(spec, laptop).ok());
  laptop.bfloat16 = false;
  const auto without_products = WarningsBeforeStart(spec, laptop);
  EXPECT_EQ(without_products.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(without_products.status().message(),
            "resources.precision: PRECISION_BF16, and some CPU has no bfloat16 products; would be right: "
            "--set resources.precision=PRECISION_FP32");
  spec = MaeS();
  spec.mutable_resources()->set_device(DEVICE_CUDA);
  const auto without_gpu = WarningsBeforeStart(spec, laptop);
  EXPECT_EQ(without_gpu.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(without_gpu.status().message()),
              HasSubstr("no CUDA device; would be right: --set resources.device=DEVICE_AUTO"));
}

TEST(JobPlanTest, FitsEightyColumns) {
  PlanFacts facts = Facts(MaeS(), Laptop(2, kGiB));
  facts.place.name = std::string(30, 'x') + " " + std::string(60, 'y');
  for (const absl::string_view line : absl::StrSplit(JobPlanText(MakeJobPlan(facts)), '\n')) {
    EXPECT_LE(ColumnsOf(line), 80u) << line;
  }
}

}  // namespace
}  // namespace mimeo
