#include "objective/objective.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/sin.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "model/patches.h"
#include "objective/losses.h"

namespace mimeo {
namespace {

constexpr int kImagePx = 16, kTeacherWidth = 6;

void AddPixels(const std::string& name, double weight, JobSpec* spec) {
  ObjectiveSpec* objective = spec->add_objective();
  objective->set_name(name), objective->set_weight(weight);
  ReconstructionSpec* pixels = objective->mutable_reconstruction();
  pixels->set_decoder_width(8), pixels->set_decoder_depth(2), pixels->set_decoder_heads(2), pixels->set_normalize_patches(true);
}

void AddMimic(const std::string& name, const std::string& teacher, double weight, JobSpec* spec) {
  ObjectiveSpec* objective = spec->add_objective();
  objective->set_name(name), objective->set_weight(weight);
  objective->mutable_mimic()->set_teacher(teacher);
}

// An encoder of width 8 on 4 x 4 patches of 4 px, 5 of 16 visible, with the objectives of `spec`.
struct Model {
  explicit Model(JobSpec objectives, uint64_t seed = 3) : spec(std::move(objectives)), parameters(seed) {
    VitSpec* vit = spec.mutable_encoder()->mutable_vit();
    vit->set_patch_px(4), vit->set_width(8), vit->set_depth(1), vit->set_heads(2), vit->set_mlp_ratio(2);
    encoder = MakeEncoder(spec.encoder(), kImagePx, &parameters);
    sum = ObjectiveSum::Create(spec, *encoder, {{"clip", kTeacherWidth}}, &parameters);
    parameters.To(at::kCPU, at::kDouble);
  }

  ForwardPass Forward(const std::vector<at::Tensor>& views) const {
    ForwardPass pass;
    for (size_t v = 0; v < views.size(); ++v) {
      std::vector<RandomKey> keys;
      for (int64_t b = 0; b < views[v].size(0); ++b) keys.push_back(RandomKey(9).Fold(v).Fold(b));
      ViewInput view{views[v], RandomMaskPlan(keys, 16, 5), {}};
      view.teacher_BKT["clip"] = at::sin(at::arange(views[v].size(0) * 5 * kTeacherWidth, at::kDouble) * 0.9 + v)
                                     .view({views[v].size(0), 5, kTeacherWidth});
      pass.encodings.push_back(encoder->Encode(view.images_BCHW, view.plan));
      pass.views.push_back(view);
    }
    return pass;
  }

  JobSpec spec;
  Parameters parameters;
  std::unique_ptr<Encoder> encoder;
  absl::StatusOr<std::unique_ptr<ObjectiveSum>> sum;
};

at::Tensor Images(int batch, double phase) {
  return at::sin(at::arange(batch * 3 * kImagePx * kImagePx, at::kDouble) * 0.61 + phase).view({batch, 3, kImagePx, kImagePx});
}

JobSpec PixelsAndMimic() {
  JobSpec spec;
  AddPixels("pixels", 1, &spec);
  AddMimic("clip_tokens", "clip", 0.5, &spec);
  return spec;
}

TEST(ObjectiveSumTest, TotalIsTheWeightedSumOfItsTerms) {
  const Model model(PixelsAndMimic());
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
  const Model model(PixelsAndMimic());
  const ForwardPass pass = model.Forward({Images(2, 0)});
  const ViewInput& view = pass.views[0];
  const at::Tensor predicted = (*model.sum)->pixel_decoder()->Predict(pass.encodings[0], view.plan);
  ASSERT_EQ(predicted.sizes(), (std::vector<int64_t>{2, 11, 48}));
  const at::Tensor target = NormalizePatches(TakePatches(Patchify(view.images_BCHW, 4), view.plan.hidden_BM));
  EXPECT_NEAR((*model.sum)->Compute(pass).terms.at("pixels").item<double>(), (predicted - target).square().mean().item<double>(), 1e-12);
  EXPECT_TRUE((*model.sum)->normalizes_patches());
}

TEST(ObjectiveSumTest, TermsAreMeansOverViews) {
  const Model model(PixelsAndMimic());
  const ForwardPass both = model.Forward({Images(2, 0), Images(2, 1)});
  const ForwardPass first{{both.views[0]}, {both.encodings[0]}}, second{{both.views[1]}, {both.encodings[1]}};
  for (const char* name : {"pixels", "clip_tokens"}) {
    const auto term = [&](const ForwardPass& pass) { return (*model.sum)->Compute(pass).terms.at(name).item<double>(); };
    EXPECT_NEAR(term(both), (term(first) + term(second)) / 2, 1e-12) << name;
    EXPECT_NE(term(first), term(second)) << name;
  }
}

TEST(ObjectiveSumTest, NeedsAreTheUnion) {
  JobSpec spec = PixelsAndMimic();
  AddMimic("again", "clip", 1, &spec);
  const Model model(spec);
  EXPECT_EQ((*model.sum)->needs().num_views, 1);
  EXPECT_EQ((*model.sum)->needs().teachers, std::vector<std::string>{"clip"});
}

TEST(ObjectiveSumTest, EveryUnknownTeacherIsNamed) {
  JobSpec spec = PixelsAndMimic();
  AddMimic("second", "dino", 1, &spec);
  AddMimic("third", "sam", 1, &spec);
  const Model model(spec);
  EXPECT_EQ(model.sum.status().code(), absl::StatusCode::kInvalidArgument);
  const std::string message(model.sum.status().message());
  EXPECT_NE(message.find("objective[second].mimic.teacher: no teacher is called \"dino\""), std::string::npos) << message;
  EXPECT_NE(message.find("objective[third].mimic.teacher: no teacher is called \"sam\""), std::string::npos) << message;
  EXPECT_NE(message.find("clip (width 6)"), std::string::npos) << message;
}

TEST(ObjectiveSumTest, WithoutReconstructionThereIsNoDecoder) {
  JobSpec spec;
  AddMimic("mimic", "clip", 1, &spec);
  const Model model(spec);
  EXPECT_EQ((*model.sum)->pixel_decoder(), nullptr);
  EXPECT_EQ(model.parameters.all().back().first, "objective.mimic.head.bias");
}

TEST(ObjectiveSumTest, DecoderNamesAreMaes) {
  const Model model(PixelsAndMimic());
  for (const char* name : {"decoder_embed.weight", "mask_token", "decoder_blocks.1.mlp.fc2.bias", "decoder_norm.weight", "decoder_pred.bias"}) {
    EXPECT_TRUE(model.parameters.Find(std::string("objective.pixels.") + name).defined());
  }
}

// Of the whole model: the largest entry of every parameter's gradient against the slope of the total.
TEST(ObjectiveSumTest, GradientsAgainstFiniteDifferences) {
  const Model model(PixelsAndMimic());
  const auto total = [&] { return (*model.sum)->Compute(model.Forward({Images(2, 0)})).total; };
  total().backward();
  const at::NoGradGuard no_grad;
  constexpr double kStep = 1e-5;
  for (const auto& [name, parameter] : model.parameters.all()) {
    const at::Tensor gradient = parameter.grad().view(-1);
    const int64_t place = gradient.abs().argmax().item<int64_t>();
    at::Tensor value = parameter.view(-1)[place];
    value += kStep;
    const double up = total().item<double>();
    value -= 2 * kStep;
    const double down = total().item<double>();
    value += kStep;
    EXPECT_NEAR(gradient[place].item<double>(), (up - down) / (2 * kStep), 1e-8) << name;
  }
}

TEST(ObjectiveSumTest, EqualSeedsGiveEqualModels) {
  const Model one(PixelsAndMimic(), 4), two(PixelsAndMimic(), 4), other(PixelsAndMimic(), 5);
  for (size_t i = 0; i < one.parameters.all().size(); ++i) {
    EXPECT_TRUE(at::equal(one.parameters.tensors()[i], two.parameters.tensors()[i]));
  }
  EXPECT_FALSE(at::equal(one.parameters.Find("objective.pixels.mask_token"), other.parameters.Find("objective.pixels.mask_token")));
}

}  // namespace
}  // namespace mimeo
