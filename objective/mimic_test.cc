#include "objective/mimic.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "objective/losses.h"
#include "objective/testing/small_model.h"

namespace mimeo {
namespace {

using testing::AddMimic;
using testing::AddPixels;
using testing::ExpectGradientsAreSlopes;
using testing::Images;
using testing::SmallModel;
using testing::SmallModelOptions;

constexpr char kName[] = "clip_tokens";

// A mimic beside a reconstruction that reads the encoder's output.
JobSpec Beside(const std::function<void(MimicSpec*)>& change) {
  JobSpec spec;
  AddPixels("pixels", 1, &spec);
  change(AddMimic(kName, "clip", 1, &spec));
  return spec;
}

SmallModelOptions Deep(bool class_token = true) {
  SmallModelOptions options;
  options.depth = 3;
  options.class_token = class_token;
  return options;
}

// The mean squared distance of head(`student_BKD`) to the whitened teacher.
double Distance(const SmallModel& model, const at::Tensor& student_BKD, const ForwardPass& pass) {
  const at::Tensor predicted = at::linear(student_BKD, model.parameters.Find("objective.clip_tokens.head.weight"),
                                          model.parameters.Find("objective.clip_tokens.head.bias"));
  const at::Tensor teacher = pass.views[0].teacher_BNT.at(kName);
  return (predicted - at::layer_norm(teacher, {teacher.size(2)}, {}, {}, 1e-5)).square().mean().item<double>();
}

TEST(MimicTest, SupervisesTheVisibleTokensAlone) {
  const SmallModel model(Beside([](MimicSpec*) {}));
  const ForwardPass pass = model.Forward({Images(2, 0)});
  EXPECT_NEAR(model.Term(pass, kName), Distance(model, pass.encodings[0].visible_BKD, pass), 1e-12);
  EXPECT_TRUE((*model.sum)->needs().blocks.empty());
}

TEST(MimicTest, ClassTokenIsOneTokenMoreAndTheFirst) {
  const SmallModel model(Beside([](MimicSpec* mimic) { mimic->set_class_token(true); }));
  const ForwardPass pass = model.Forward({Images(2, 0)});
  ASSERT_EQ(pass.views[0].teacher_BNT.at(kName).size(1), 6);
  const at::Tensor student = at::cat({pass.encodings[0].class_BD.unsqueeze(1), pass.encodings[0].visible_BKD}, 1);
  EXPECT_NEAR(model.Term(pass, kName), Distance(model, student, pass), 1e-12);
}

TEST(MimicTest, DistanceAndNormAreTheSpecs) {
  for (const MimicDistance distance : {MIMIC_DISTANCE_MSE, MIMIC_DISTANCE_SMOOTH_L1, MIMIC_DISTANCE_COSINE}) {
    for (const TeacherNorm norm : {TEACHER_NORM_WHITEN, TEACHER_NORM_L2, TEACHER_NORM_RAW}) {
      const SmallModel model(
          Beside([&](MimicSpec* mimic) { mimic->set_distance(distance), mimic->set_teacher_norm(norm); }));
      const ForwardPass pass = model.Forward({Images(2, 0)});
      const at::Tensor student =
          at::linear(pass.encodings[0].visible_BKD, model.parameters.Find("objective.clip_tokens.head.weight"),
                     model.parameters.Find("objective.clip_tokens.head.bias"));
      EXPECT_EQ(model.Term(pass, kName),
                MimicLoss(student, pass.views[0].teacher_BNT.at(kName), distance, norm).item<double>());
    }
  }
}

TEST(MimicTest, FusionIsTheWeightedSumOfItsBlocksNorms) {
  for (const bool class_token : {true, false}) {
    const SmallModel model(Beside([](MimicSpec* mimic) { mimic->add_student_layer(3), mimic->add_student_layer(1); }),
                           Deep(class_token));
    EXPECT_EQ((*model.sum)->needs().blocks, (std::vector<int>{1, 3}));
    const at::Tensor weight = model.parameters.Find("objective.clip_tokens.fusion.weight");
    EXPECT_EQ(weight[0].item<double>(), 0.5);
    EXPECT_EQ(weight[1].item<double>(), 0.5);
    {
      const at::NoGradGuard no_grad;
      weight[0].fill_(0.3), weight[1].fill_(-1.2);
      model.parameters.Find("objective.clip_tokens.fusion.norm1.weight")[2].fill_(3);
    }
    const ForwardPass pass = model.Forward({Images(2, 0)});
    const auto normed = [&](int block, const char* norm) {
      const at::Tensor tokens = pass.encodings[0].blocks_BND.at(block).slice(1, class_token ? 1 : 0);
      return at::layer_norm(tokens, {8},
                            model.parameters.Find(std::string("objective.clip_tokens.fusion.") + norm + ".weight"), {},
                            1e-6);
    };
    const at::Tensor fused = 0.3 * normed(3, "norm3") - 1.2 * normed(1, "norm1");
    EXPECT_NEAR(model.Term(pass, kName), Distance(model, fused, pass), 1e-12) << class_token;
  }
}

TEST(MimicTest, FusionHasTheClassTokenWhereItIsSupervised) {
  const SmallModel model(Beside([](MimicSpec* mimic) { mimic->add_student_layer(2), mimic->set_class_token(true); }),
                         Deep());
  const ForwardPass pass = model.Forward({Images(2, 0)});
  const at::Tensor tokens = pass.encodings[0].blocks_BND.at(2);
  ASSERT_EQ(tokens.size(1), 6);
  EXPECT_NEAR(model.Term(pass, kName), Distance(model, at::layer_norm(tokens, {8}, {}, {}, 1e-6), pass), 1e-12);
}

void Decode(MimicTokens tokens, MimicSpec* mimic) {
  mimic->set_tokens(tokens);
  mimic->set_decoder_width(8), mimic->set_decoder_depth(2), mimic->set_decoder_heads(2);
}

// What the decoder of pixels would predict with the mimic's weights: its first values, as many as a teacher token has.
at::Tensor PixelDecoderWithTheMimicsWeights(const SmallModel& model, const ForwardPass& pass) {
  const at::NoGradGuard no_grad;
  const std::string mine = "objective.clip_tokens.", others = "objective.pixels.";
  for (const auto& [name, parameter] : model.parameters.trained()) {
    if (name.rfind(mine + "decoder_", 0) != 0 && name != mine + "mask_token") continue;
    model.parameters.Find(others + name.substr(mine.size())).slice(0, 0, parameter.size(0)).copy_(parameter);
  }
  return (*model.sum)
      ->pixel_decoder()
      ->Predict(pass.encodings[0], pass.views[0].plan)
      .slice(2, 0, testing::kTeacherWidth);
}

double WhitenedDistance(const at::Tensor& predicted, const at::Tensor& teacher) {
  return (predicted - at::layer_norm(teacher, {teacher.size(2)}, {}, {}, 1e-5)).square().mean().item<double>();
}

TEST(MimicTest, HiddenTokensArePredictedByADecoderOfItsOwn) {
  const SmallModel model(Beside([](MimicSpec* mimic) { Decode(MIMIC_TOKENS_HIDDEN, mimic); }));
  const ForwardPass pass = model.Forward({Images(2, 0)});
  const at::Tensor teacher = pass.views[0].teacher_BNT.at(kName);
  ASSERT_EQ(teacher.size(1), testing::kPatches - testing::kVisible);
  EXPECT_NEAR(model.Term(pass, kName), WhitenedDistance(PixelDecoderWithTheMimicsWeights(model, pass), teacher), 1e-12);
}

TEST(MimicTest, AllTokensAreTheVisibleOnesAndThenTheHidden) {
  const SmallModel model(
      Beside([](MimicSpec* mimic) { Decode(MIMIC_TOKENS_ALL, mimic), mimic->set_class_token(true); }));
  const ForwardPass pass = model.Forward({Images(2, 0)});
  const at::Tensor teacher = pass.views[0].teacher_BNT.at(kName);
  const at::Tensor student = at::cat({pass.encodings[0].class_BD.unsqueeze(1), pass.encodings[0].visible_BKD}, 1);
  const at::Tensor visible = at::linear(student, model.parameters.Find("objective.clip_tokens.head.weight"),
                                        model.parameters.Find("objective.clip_tokens.head.bias"));
  const at::Tensor hidden = PixelDecoderWithTheMimicsWeights(model, pass);
  const at::Tensor predicted = at::cat({visible, hidden}, 1);
  ASSERT_EQ(predicted.size(1), 1 + testing::kPatches);
  EXPECT_NEAR(model.Term(pass, kName), WhitenedDistance(predicted, teacher), 1e-12);
}

TEST(MimicTest, PatchesAreInTheOrderOfTheirPrediction) {
  const MaskPlan plan = {at::tensor({1, 3}, at::kLong).unsqueeze(0), at::tensor({0, 2}, at::kLong).unsqueeze(0)};
  EXPECT_TRUE(at::equal(MimickedPatches(plan, MIMIC_TOKENS_VISIBLE), plan.visible_BK));
  EXPECT_TRUE(at::equal(MimickedPatches(plan, MIMIC_TOKENS_HIDDEN), plan.hidden_BM));
  EXPECT_TRUE(at::equal(MimickedPatches(plan, MIMIC_TOKENS_ALL), at::tensor({1, 3, 0, 2}, at::kLong).unsqueeze(0)));
}

// Alone, so that every parameter there is has a gradient: no head where only hidden tokens are mimicked.
TEST(MimicTest, GradientsOfADecoderAgainstFiniteDifferences) {
  for (const MimicTokens tokens : {MIMIC_TOKENS_HIDDEN, MIMIC_TOKENS_ALL}) {
    JobSpec spec;
    MimicSpec* mimic = AddMimic(kName, "clip", 1, &spec);
    Decode(tokens, mimic);
    if (tokens == MIMIC_TOKENS_ALL) mimic->add_student_layer(1), mimic->add_student_layer(3);
    const SmallModel model(spec, Deep());
    ASSERT_TRUE(model.sum.ok()) << model.sum.status();
    ExpectGradientsAreSlopes(model.parameters,
                             [&] { return (*model.sum)->Compute(model.Forward({Images(2, 0)})).total; });
  }
}

TEST(MimicTest, IsZeroWhenTheStudentIsTheWhitenedTeacher) {
  const SmallModel model(Beside([](MimicSpec*) {}));
  ForwardPass pass = model.Forward({Images(2, 0)});
  const at::Tensor teacher = pass.views[0].teacher_BNT.at(kName);
  {
    const at::NoGradGuard no_grad;
    model.parameters.Find("objective.clip_tokens.head.weight").copy_(at::eye(6, 8, at::kDouble));
  }
  const at::Tensor whitened = at::layer_norm(teacher, {6}, {}, {}, 1e-5);
  pass.encodings[0].visible_BKD = at::cat({whitened, pass.encodings[0].visible_BKD.slice(2, 6)}, 2);
  EXPECT_NEAR(model.Term(pass, kName), 0, 1e-20);
}

TEST(MimicDeathTest, AViewWithoutItsTeachersTokensIsABug) {
  const SmallModel model(Beside([](MimicSpec*) {}));
  ForwardPass pass = model.Forward({Images(2, 0)});
  pass.views[0].teacher_BNT.clear();
  EXPECT_DEATH((*model.sum)->Compute(pass), "no teacher tokens for objective clip_tokens");
}

TEST(MimicTest, GradientsAgainstFiniteDifferences) {
  const SmallModel model(Beside([](MimicSpec* mimic) {
                           mimic->add_student_layer(1), mimic->add_student_layer(3), mimic->set_class_token(true);
                           mimic->set_distance(MIMIC_DISTANCE_COSINE);
                         }),
                         Deep());
  ExpectGradientsAreSlopes(model.parameters,
                           [&] { return (*model.sum)->Compute(model.Forward({Images(2, 0)})).total; });
}

}  // namespace
}  // namespace mimeo
