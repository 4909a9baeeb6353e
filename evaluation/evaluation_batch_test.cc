#include "evaluation/evaluation_batch.h"

#include <ATen/ops/equal.h>

#include <string>

#include "base/testing/status_matchers.h"
#include "evaluation/testing/photo_folder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "job/job_spec.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::PhotoFolder;
using ::testing::SizeIs;

// Two views of the full size and three smaller ones, of 24 px.
constexpr char kRecipe[] = R"(
  name: "views" seed: 7
  data { path: "photos" global_batch: 4 image_px: 32 }
  views { count: 2 }
  views { count: 3 image_px: 24 }
  mask { none {} }
  encoder { vit { patch_px: 8 width: 12 depth: 1 heads: 3 mlp_ratio: 2 positions: POSITIONS_LEARNED } }
  objective { name: "dino" self_distillation { hidden_width: 16 bottleneck_width: 8 num_prototypes: 32 } }
  ema { decay: 0.99 }
  optimizer { adamw {} }
  schedule { steps: 10 })";

// Makes the batches of a pass.
class Batches : public CropUse {
 public:
  explicit Batches(const JobSpec& spec) : spec_(spec) {}
  std::vector<CropShape> shapes() const override { return ViewShapes(spec_); }
  absl::Status Use(const CropBatch& crops) override {
    made.push_back(MakeEvaluationBatch(spec_, crops));
    return absl::OkStatus();
  }

  std::vector<Batch> made;

 private:
  const JobSpec& spec_;
};

class EvaluationBatchTest : public ::testing::Test {
 protected:
  EvaluationBatchTest() : spec_(ResolveJobSpec(ParseRecipe(kRecipe, "views").value()).value()) {}

  std::vector<Batch> Make(const PassOptions& options) {
    Batches batches(spec_);
    EXPECT_OK(RunPass(photos_.dataset(), options, {&batches}).status());
    return batches.made;
  }

  const PhotoFolder photos_;
  JobSpec spec_;
};

TEST_F(EvaluationBatchTest, EveryViewIsTheMiddleOfTheImageAtItsSize) {
  const std::vector<Batch> batches = Make({});
  ASSERT_THAT(batches, SizeIs(1));
  const Batch& batch = batches[0];
  EXPECT_THAT(batch.sample_ids, ElementsAre(0, 1, 2, 3));
  ASSERT_THAT(batch.views_BCHW, SizeIs(5));
  for (int64_t i = 0; i < 4; ++i) {
    const at::Tensor full = photos_.CropOf(i, {3, 32, 32}), small = photos_.CropOf(i, {3, 24, 24});
    EXPECT_TRUE(at::equal(batch.shared_BCHW[i], full));
    for (int view = 0; view < 5; ++view) {
      EXPECT_TRUE(at::equal(batch.views_BCHW[view][i], view < 2 ? full : small)) << i << " " << view;
    }
  }
}

TEST_F(EvaluationBatchTest, KeysDependOnTheSeedAndTheSampleAlone) {
  PassOptions halves;
  halves.batch = 2;
  const std::vector<Batch> in_two = Make(halves), in_one = Make({});
  ASSERT_THAT(in_two, SizeIs(3));  // the last is the broken image's
  ASSERT_THAT(in_one[0].keys, SizeIs(4));
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(in_two[i / 2].keys[i % 2].Bits(0), in_one[0].keys[i].Bits(0));
  EXPECT_NE(in_one[0].keys[0].Bits(0), in_one[0].keys[1].Bits(0));
  spec_.set_seed(8);
  EXPECT_NE(Make({})[0].keys[0].Bits(0), in_one[0].keys[0].Bits(0));
}

TEST_F(EvaluationBatchTest, WithoutImagesThereIsNothing) {
  PassOptions options;
  options.samples = {PhotoFolder::kBroken};
  const std::vector<Batch> batches = Make(options);
  ASSERT_THAT(batches, SizeIs(1));
  EXPECT_THAT(batches[0].sample_ids, IsEmpty());
  EXPECT_THAT(batches[0].views_BCHW, IsEmpty());
  EXPECT_FALSE(batches[0].shared_BCHW.defined());
}

}  // namespace
}  // namespace mimeo
