// Layouts are names for the same tensors: Mimeo -> layout -> Mimeo -> layout -> Mimeo gives the same bits, for every
// pair of layouts that can hold an encoder; a layout that cannot says why.
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/sin.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "base/file.h"
#include "model/testing/vit_spec.h"
#include "model/weights.h"

namespace mimeo {
namespace {

constexpr int kImagePx = 16;

JobSpec PlainJob() {
  JobSpec job;
  *job.mutable_data() = testing::PlainData(kImagePx);
  *job.mutable_encoder()->mutable_vit() = testing::PlainVit(/*patch_px=*/4, /*width=*/128, /*depth=*/2, /*heads=*/2);
  return job;
}

JobSpec LearnedJob() {
  JobSpec job = PlainJob();
  job.mutable_encoder()->mutable_vit()->set_positions(POSITIONS_LEARNED);
  return job;
}

JobSpec ClipJob() {
  JobSpec job = LearnedJob();
  VitSpec* vit = job.mutable_encoder()->mutable_vit();
  vit->set_pre_norm(true), vit->set_patch_bias(false), vit->set_activation(ACTIVATION_QUICK_GELU),
      vit->set_norm_epsilon(1e-5);
  return job;
}

JobSpec Dinov2Job(int registers) {
  JobSpec job = LearnedJob();
  job.mutable_encoder()->mutable_vit()->set_layer_scale(1),
      job.mutable_encoder()->mutable_vit()->set_register_tokens(registers);
  return job;
}

JobSpec RectangularJob() {
  JobSpec job = LearnedJob();
  job.mutable_data()->set_image_width_px(2 * kImagePx), job.mutable_data()->set_channels(1);
  job.mutable_data()->clear_pixel_mean(), job.mutable_data()->clear_pixel_std();
  job.mutable_data()->add_pixel_mean(0.4), job.mutable_data()->add_pixel_std(0.2);
  return job;
}

JobSpec WithoutClassTokenJob() {
  JobSpec job = LearnedJob();
  VitSpec* vit = job.mutable_encoder()->mutable_vit();
  vit->set_class_token(false), vit->set_qkv_bias(false), vit->set_norm_epsilon(1e-5);
  return job;
}

// Every parameter random, positions too where they are learned.
NamedTensors RandomCheckpoint(const JobSpec& job) {
  const at::NoGradGuard no_grad;
  Parameters parameters(5);
  MakeEncoder(job.encoder(), ImageShapeOf(job.data()), &parameters);
  NamedTensors checkpoint;
  double phase = 0.1;
  for (const auto& [name, tensor] : parameters.all()) {
    checkpoint[name] = at::sin(at::arange(tensor.numel(), at::kFloat) * 0.7 + (phase += 0.3)).view_as(tensor);
    // Only the class token could show this row: timm's files have none without one.
    if (name == "encoder.pos_embed" && !job.encoder().vit().class_token()) checkpoint[name][0].zero_();
  }
  return checkpoint;
}

void ExpectSame(const NamedTensors& want, const LoadedEncoder& got, const std::string& what) {
  ASSERT_EQ(got.parameters->all().size(), want.size()) << what;
  for (const auto& [name, tensor] : got.parameters->all()) {
    EXPECT_TRUE(at::equal(tensor, want.at(name))) << what << ": " << name;
  }
}

struct Case {
  const char* name;
  JobSpec job;
  std::vector<std::string> layouts;  // that can hold it
};

std::vector<Case> Cases() {
  return {{"plain", PlainJob(), {"hf-vit", "timm", "mae"}},
          {"learned", LearnedJob(), {"hf-vit", "timm", "mae"}},
          {"clip", ClipJob(), {"hf-clip", "timm", "openai-clip"}},
          {"dinov2", Dinov2Job(0), {"hf-dinov2", "timm", "dinov2"}},
          {"registers", Dinov2Job(3), {"hf-dinov2", "timm", "dinov2"}},
          {"rectangular", RectangularJob(), {"hf-vit", "timm"}},
          {"without_class_token", WithoutClassTokenJob(), {"timm"}}};
}

class RoundTripTest : public ::testing::TestWithParam<Case> {
 protected:
  // The same encoder, by way of a file in `layout`.
  absl::StatusOr<LoadedEncoder> Through(const std::string& layout, const EncoderCheckpoint& from) const {
    const std::string out = JoinPath(dir_.path(), layout);
    const absl::Status exported =
        ExportEncoder(*ParseWeightsLayout(layout, from.spec.encoder()), from.tensors, from.spec, out);
    if (!exported.ok()) return exported;
    return LoadEncoder(out);
  }
  TempDir dir_;
};

TEST_P(RoundTripTest, EveryPairOfLayoutsKeepsTheBits) {
  const Case& tested = GetParam();
  const EncoderCheckpoint start = {RandomCheckpoint(tested.job), tested.job};
  for (const std::string& first : tested.layouts) {
    const absl::StatusOr<LoadedEncoder> once = Through(first, start);
    ASSERT_TRUE(once.ok()) << first << ": " << once.status();
    ExpectSame(start.tensors, *once, first);
    for (const std::string& second : tested.layouts) {
      const absl::StatusOr<LoadedEncoder> twice = Through(second, CheckpointOf(*once));
      ASSERT_TRUE(twice.ok()) << first << " to " << second << ": " << twice.status();
      ExpectSame(start.tensors, *twice, first + " to " + second);
      EXPECT_EQ(twice->spec.SerializeAsString(), tested.job.encoder().SerializeAsString()) << second << "\n"
                                                                                           << twice->spec.DebugString();
      EXPECT_EQ(twice->image, ImageShapeOf(tested.job.data())) << second;
      EXPECT_EQ(twice->statistics.mean, StatisticsOf(tested.job.data()).mean) << second;
    }
  }
}

TEST_P(RoundTripTest, OtherLayoutsSayWhyNot) {
  const Case& tested = GetParam();
  const EncoderCheckpoint start = {RandomCheckpoint(tested.job), tested.job};
  for (const std::string& layout : WeightsLayoutNames()) {
    if (std::find(tested.layouts.begin(), tested.layouts.end(), layout) != tested.layouts.end()) continue;
    const absl::Status refused = Through(layout, start).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << layout;
    EXPECT_TRUE(absl::StrContains(refused.message(), "layout " + layout + " cannot hold this encoder: ")) << refused;
    EXPECT_FALSE(FileExists(JoinPath(dir_.path(), layout))) << layout;
  }
}

INSTANTIATE_TEST_SUITE_P(Encoders, RoundTripTest, ::testing::ValuesIn(Cases()),
                         [](const auto& tested) { return tested.param.name; });

TEST(ExportTest, NamesOfLayouts) {
  EXPECT_EQ(*ParseWeightsLayout("timm", {}), WeightsLayout::kTimm);
  EXPECT_EQ(*ParseWeightsLayout("mcmae", {}), WeightsLayout::kMcmae);
  EXPECT_EQ(*ParseWeightsLayout("hf", PlainJob().encoder()), WeightsLayout::kHfVit);
  EXPECT_EQ(*ParseWeightsLayout("hf", ClipJob().encoder()), WeightsLayout::kHfClip);
  EXPECT_EQ(*ParseWeightsLayout("hf", Dinov2Job(2).encoder()), WeightsLayout::kHfDinov2);
  const absl::Status unknown = ParseWeightsLayout("onnx", {}).status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(unknown.message(), "hf-vit-mae")) << unknown;
}

// A decoder's tensors under Mimeo's names, of the shapes that MAE's have.
NamedTensors WithDecoder(NamedTensors checkpoint, int64_t width, int64_t decoder_width) {
  const auto add = [&](const std::string& name, std::vector<int64_t> shape) {
    checkpoint["objective.pixels." + name] = at::sin(at::arange(at::ones(shape).numel(), at::kFloat)).view(shape);
  };
  const int64_t d = decoder_width;
  add("mask_token", {1, 1, d});
  const std::vector<std::pair<std::string, std::vector<int64_t>>> layers = {{"decoder_embed", {d, width}},
                                                                            {"decoder_blocks.0.norm1", {d}},
                                                                            {"decoder_blocks.0.attn.qkv", {3 * d, d}},
                                                                            {"decoder_blocks.0.attn.proj", {d, d}},
                                                                            {"decoder_blocks.0.norm2", {d}},
                                                                            {"decoder_blocks.0.mlp.fc1", {4 * d, d}},
                                                                            {"decoder_blocks.0.mlp.fc2", {d, 4 * d}},
                                                                            {"decoder_norm", {d}},
                                                                            {"decoder_pred", {48, d}}};
  for (const auto& [name, shape] : layers) add(name + ".weight", shape), add(name + ".bias", {shape[0]});
  return checkpoint;
}

TEST(ExportTest, MaesDecoderComesWithTheOnlyReconstruction) {
  JobSpec job = PlainJob();
  ObjectiveSpec* pixels = job.add_objective();
  pixels->set_name("pixels");
  pixels->mutable_reconstruction()->set_decoder_width(8), pixels->mutable_reconstruction()->set_decoder_depth(1);
  pixels->mutable_reconstruction()->set_decoder_heads(2), pixels->mutable_reconstruction()->set_normalize_patches(true);
  const NamedTensors checkpoint = WithDecoder(RandomCheckpoint(job), 128, 8);
  const TempDir dir;
  const std::string mae = JoinPath(dir.path(), "mae"), hf = JoinPath(dir.path(), "hf");
  ASSERT_TRUE(ExportEncoder(WeightsLayout::kMae, checkpoint, job, mae).ok());
  ASSERT_TRUE(ExportEncoder(WeightsLayout::kHfVitMae, checkpoint, job, hf).ok());
  EXPECT_EQ(LoadEncoder(mae)->family, "mae");
  EXPECT_EQ(LoadEncoder(hf)->family, "hf-vit-mae");
  const auto mae_file = SafetensorsFile::Open(JoinPath(mae, "model.safetensors")).value();
  const auto hf_file = SafetensorsFile::Open(JoinPath(hf, "model.safetensors")).value();
  const NamedTensors mae_tensors = ReadTensors(mae_file->view()).value(),
                     hf_tensors = ReadTensors(hf_file->view()).value();
  EXPECT_TRUE(at::equal(mae_tensors.at("decoder_pred.weight"), checkpoint.at("objective.pixels.decoder_pred.weight")));
  EXPECT_EQ(mae_tensors.at("decoder_pos_embed").sizes(), (at::IntArrayRef{1, 17, 8}));
  EXPECT_TRUE(at::equal(hf_tensors.at("decoder.decoder_layers.0.attention.attention.key.weight"),
                        checkpoint.at("objective.pixels.decoder_blocks.0.attn.qkv.weight").slice(0, 8, 16)));

  EXPECT_TRUE(absl::StrContains(ExportEncoder(WeightsLayout::kHfVitMae, RandomCheckpoint(job), job, hf).message(),
                                "objective.pixels.decoder_*"));
  *job.add_objective() = *pixels;
  EXPECT_TRUE(
      absl::StrContains(ExportEncoder(WeightsLayout::kHfVitMae, checkpoint, job, hf).message(), "none or several"));
}

}  // namespace
}  // namespace mimeo
