#include "objective/objective.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "model/patches.h"
#include "objective/testing/small_model.h"

namespace mimeo {
namespace {

using testing::AddInfoNce;
using testing::AddMimic;
using testing::AddPixels;
using testing::ExpectGradientsAreSlopes;
using testing::Images;
using testing::kPatchPx;
using testing::SmallModel;
using testing::SmallModelOptions;

JobSpec PixelsAndMimic() {
  JobSpec spec;
  AddPixels("pixels", 1, &spec);
  AddMimic("clip_tokens", "clip", 0.5, &spec);
  return spec;
}

TEST(ObjectiveSumTest, TotalIsTheWeightedSumOfItsTerms) {
  const SmallModel model(PixelsAndMimic());
  ASSERT_TRUE(model.sum.ok()) << model.sum.status();
  const auto result = (*model.sum)->Compute(model.Forward({Images(2, 0)}));
  ASSERT_EQ(result.terms.size(), 2u);
  const double pixels = result.terms.at("pixels").item<double>(), mimic = result.terms.at("clip_tokens").item<double>();
  EXPECT_NEAR(result.total.item<double>(), pixels + 0.5 * mimic, 1e-12);
  EXPECT_GT(pixels, 0.5);
  EXPECT_GT(mimic, 0.5);
  EXPECT_FALSE(result.terms.at("pixels").requires_grad());
  EXPECT_TRUE(result.total.requires_grad());
}

TEST(ObjectiveSumTest, ReconstructionComparesTheDecodersPredictionWithTheHiddenPatches) {
  const SmallModel model(PixelsAndMimic());
  const ForwardPass pass = model.Forward({Images(2, 0)});
  const ViewInput& view = pass.views[0];
  const at::Tensor predicted = (*model.sum)->pixel_decoder()->Predict(pass.encodings[0], view.plan);
  ASSERT_EQ(predicted.sizes(), (std::vector<int64_t>{2, 11, 48}));
  const at::Tensor target = NormalizePatches(TakePatches(Patchify(view.images_BCHW, kPatchPx), view.plan.hidden_BM));
  EXPECT_NEAR((*model.sum)->Compute(pass).terms.at("pixels").item<double>(),
              (predicted - target).square().mean().item<double>(), 1e-12);
  EXPECT_TRUE((*model.sum)->normalizes_patches());
}

TEST(ObjectiveSumTest, TermsAreMeansOverViews) {
  const SmallModel model(PixelsAndMimic());
  const ForwardPass both = model.Forward({Images(2, 0), Images(2, 1)});
  ForwardPass first, second;
  first.views = {both.views[0]}, first.encodings = {both.encodings[0]};
  second.views = {both.views[1]}, second.encodings = {both.encodings[1]};
  for (const char* name : {"pixels", "clip_tokens"}) {
    EXPECT_NEAR(model.Term(both, name), (model.Term(first, name) + model.Term(second, name)) / 2, 1e-12) << name;
    EXPECT_NE(model.Term(first, name), model.Term(second, name)) << name;
  }
}

// No image's place in the batch matters.
TEST(ObjectiveSumTest, APermutedBatchHasTheSameTermsAndStatistics) {
  JobSpec spec = PixelsAndMimic();
  AddInfoNce("views", 0.3, &spec);
  const SmallModel model(spec);
  ForwardPass pass = model.Forward({Images(3, 0), Images(3, 1)});
  const ObjectiveSum::Result expected = (*model.sum)->Compute(pass);
  for (ViewInput& view : pass.views) {
    for (at::Tensor* rows :
         {&view.images_BCHW, &view.plan.visible_BK, &view.plan.hidden_BM, &view.teacher_BNT.at("clip_tokens")}) {
      *rows = rows->roll(1, 0);
    }
  }
  EncodeViews(*model.encoder, nullptr, **model.sum, &pass);
  const ObjectiveSum::Result result = (*model.sum)->Compute(pass);
  for (const auto& [name, term] : expected.terms) {
    EXPECT_NEAR(result.terms.at(name).item<double>(), term.item<double>(), 1e-12) << name;
  }
  for (const auto& [name, stat] : expected.stats) {
    EXPECT_NEAR(result.stats.at(name).item<double>(), stat.item<double>(), 1e-12) << name;
  }
}

TEST(ObjectiveSumTest, EveryUnknownTeacherIsNamed) {
  JobSpec spec = PixelsAndMimic();
  AddMimic("second", "dino", 1, &spec);
  AddMimic("third", "sam", 1, &spec);
  const SmallModel model(spec);
  EXPECT_EQ(model.sum.status().code(), absl::StatusCode::kInvalidArgument);
  const std::string message(model.sum.status().message());
  EXPECT_NE(message.find("objective[second].mimic.teacher: no teacher is called \"dino\"; there is \"clip\""),
            std::string::npos)
      << message;
  EXPECT_NE(message.find("objective[third].mimic.teacher: no teacher is called \"sam\""), std::string::npos) << message;
}

TEST(ObjectiveSumTest, WithoutAnyTeacherThatIsSaid) {
  SmallModelOptions untaught;
  untaught.taught = {};
  const SmallModel model(PixelsAndMimic(), untaught);
  EXPECT_NE(model.sum.status().message().find("no teacher is called \"clip\"; there is none"), std::string::npos)
      << model.sum.status();
}

TEST(ObjectiveSumTest, AnOutputThatNobodyReadsIsRefused) {
  JobSpec spec;
  AddMimic("clip_tokens", "clip", 1, &spec)->add_student_layer(1);
  EXPECT_EQ(SmallModel(spec).sum.status().code(), absl::StatusCode::kInvalidArgument);
  AddPixels("pixels", 1, &spec);
  EXPECT_TRUE(SmallModel(spec).sum.ok());
}

TEST(ObjectiveSumTest, StatisticsBearTheirObjectivesName) {
  JobSpec spec = PixelsAndMimic();
  AddInfoNce("views", 0.3, &spec);
  const SmallModel model(spec);
  const auto result = (*model.sum)->Compute(model.Forward({Images(3, 0), Images(3, 1)}));
  ASSERT_EQ(result.stats.size(), 4u);
  for (const char* name : {"views/alignment", "views/embedding_std", "views/retrieval", "views/uniformity"}) {
    ASSERT_EQ(result.stats.count(name), 1u) << name;
    EXPECT_FALSE(result.stats.at(name).requires_grad()) << name;
  }
}

TEST(ObjectiveSumTest, WithoutReconstructionThereIsNoDecoder) {
  JobSpec spec;
  AddMimic("mimic", "clip", 1, &spec);
  SmallModelOptions taught;
  taught.taught = {"mimic"};
  const SmallModel model(spec, taught);
  EXPECT_EQ((*model.sum)->pixel_decoder(), nullptr);
  EXPECT_EQ(model.parameters.all().back().first, "objective.mimic.head.bias");
}

TEST(ObjectiveSumTest, DecoderNamesAreMaes) {
  const SmallModel model(PixelsAndMimic());
  for (const char* name : {"decoder_embed.weight", "mask_token", "decoder_blocks.1.mlp.fc2.bias", "decoder_norm.weight",
                           "decoder_pred.bias"}) {
    EXPECT_TRUE(model.parameters.Find(std::string("objective.pixels.") + name).defined());
  }
}

TEST(ObjectiveSumTest, GradientsAgainstFiniteDifferences) {
  JobSpec spec = PixelsAndMimic();
  AddInfoNce("views", 0.3, &spec);
  const SmallModel model(spec);
  ExpectGradientsAreSlopes(model.parameters, [&] {
    return (*model.sum)->Compute(model.Forward({Images(3, 0), Images(3, 1)})).total;
  });
}

TEST(ObjectiveSumTest, EqualSeedsGiveEqualModels) {
  SmallModelOptions four, five;
  four.seed = 4, five.seed = 5;
  const SmallModel one(PixelsAndMimic(), four), two(PixelsAndMimic(), four), other(PixelsAndMimic(), five);
  for (size_t i = 0; i < one.parameters.all().size(); ++i) {
    EXPECT_TRUE(at::equal(one.parameters.all()[i].second, two.parameters.all()[i].second));
  }
  EXPECT_FALSE(at::equal(one.parameters.Find("objective.pixels.mask_token"),
                         other.parameters.Find("objective.pixels.mask_token")));
}

ObjectiveSpec Scheduled(ScheduleShape shape) {
  ObjectiveSpec objective;
  objective.set_weight(2);
  WeightSchedule* schedule = objective.mutable_weight_schedule();
  schedule->set_final_weight(0.5), schedule->set_begin(0.2), schedule->set_end(0.6), schedule->set_shape(shape);
  return objective;
}

TEST(WeightAtTest, WithoutAScheduleItIsConstant) {
  ObjectiveSpec objective;
  objective.set_weight(2);
  for (const double progress : {0.0, 0.5, 1.0}) EXPECT_EQ(WeightAt(objective, progress), 2);
}

TEST(WeightAtTest, StaysAtItsEndsOutsideTheSchedule) {
  for (const ScheduleShape shape : {SCHEDULE_SHAPE_LINEAR, SCHEDULE_SHAPE_COSINE}) {
    for (const double progress : {0.0, 0.1, 0.2}) EXPECT_EQ(WeightAt(Scheduled(shape), progress), 2) << shape;
    for (const double progress : {0.6, 0.9, 1.0}) {
      EXPECT_NEAR(WeightAt(Scheduled(shape), progress), 0.5, 1e-12) << shape;
    }
    EXPECT_NEAR(WeightAt(Scheduled(shape), 0.4), 1.25, 1e-12) << shape;
  }
}

TEST(WeightAtTest, AQuarterAlongTheShapesDiffer) {
  EXPECT_NEAR(WeightAt(Scheduled(SCHEDULE_SHAPE_LINEAR), 0.3), 2 - 1.5 * 0.25, 1e-12);
  EXPECT_NEAR(WeightAt(Scheduled(SCHEDULE_SHAPE_COSINE), 0.3), 2 - 1.5 * (1 - std::sqrt(0.5)) / 2, 1e-12);
}

TEST(WeightAtTest, TheTotalFollowsProgress) {
  JobSpec spec = PixelsAndMimic();
  *spec.mutable_objective(1)->mutable_weight_schedule() = Scheduled(SCHEDULE_SHAPE_LINEAR).weight_schedule();
  const SmallModel model(spec);
  ForwardPass pass = model.Forward({Images(2, 0)});
  const double pixels = model.Term(pass, "pixels"), mimic = model.Term(pass, "clip_tokens");
  for (const double progress : {0.0, 0.3, 1.0}) {
    pass.progress = progress;
    EXPECT_NEAR((*model.sum)->Compute(pass).total.item<double>(),
                pixels + WeightAt(spec.objective(1), progress) * mimic, 1e-12);
  }
}

}  // namespace
}  // namespace mimeo
