#include "model/weights.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "base/file.h"
#include "base/safetensors.h"
#include "model/testing/vit_spec.h"

namespace mimeo {
namespace {

constexpr int kImagePx = 16;
constexpr ImageShape kImage = {3, kImagePx, kImagePx};

JobSpec TinyJob() {
  JobSpec spec;
  *spec.mutable_data() = testing::PlainData(kImagePx);
  *spec.mutable_encoder()->mutable_vit() = testing::PlainVit(/*patch_px=*/4, /*width=*/12, /*depth=*/2, /*heads=*/3);
  return spec;
}

at::Tensor Images() {
  return at::sin(at::arange(2 * 3 * kImagePx * kImagePx, at::kFloat) * 0.61).view({2, 3, kImagePx, kImagePx});
}

// A trained model's stand-in: every parameter random, biases too.
struct Trained {
  Trained() : parameters(2) {
    encoder = MakeEncoder(TinyJob().encoder(), kImage, &parameters);
    for (const auto& [name, tensor] : parameters.all()) {
      const at::NoGradGuard no_grad;
      tensor.add_(at::sin(at::arange(tensor.numel(), at::kFloat) * 0.7).view_as(tensor) * 0.1);
      checkpoint[name] = tensor.detach();
    }
    checkpoint["objective.pixels.mask_token"] = at::zeros({1, 1, 4});
    checkpoint["optimizer.step"] = at::zeros({1});
  }
  at::Tensor Features(const Encoder& which) const {
    return which.Encode(Images(), AllVisible(2, 16, at::kCPU)).visible_BKD.detach();
  }

  Parameters parameters;
  std::unique_ptr<Encoder> encoder;
  NamedTensors checkpoint;
};

class WeightsTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return JoinPath(dir_.path(), name); }
  // The encoder of `trained_` under timm's names, with `pos_embed`.
  NamedTensors Timm() const {
    NamedTensors tensors = {{"pos_embed", SinCosPositions({4, 4, 4}, 12).unsqueeze(0)}};
    for (const auto& [name, tensor] : trained_.checkpoint) {
      if (absl::StartsWith(name, "encoder.")) tensors.emplace(name.substr(8), tensor);
    }
    return tensors;
  }
  void ExportHfVit() const {
    const absl::Status exported = ExportEncoder(WeightsLayout::kHfVit, trained_.checkpoint, TinyJob(), Path("encoder"));
    ASSERT_TRUE(exported.ok()) << exported;
  }
  void Write(const std::string& name, const NamedTensors& tensors,
             const std::map<std::string, std::string>& metadata = {{"num_heads", "3"}}) const {
    ASSERT_TRUE(WriteSafetensors(Path(name), tensors, metadata).ok());
  }
  absl::Status LoadInto(const std::string& name, const EncoderSpec& spec, Parameters* into,
                        const ImageShape& image = kImage) const {
    return LoadEncoderInto(Path(name), spec, image, into).status();
  }
  void ExpectSameFeatures(const LoadedEncoder& loaded) const {
    EXPECT_TRUE(at::equal(trained_.Features(*loaded.encoder), trained_.Features(*trained_.encoder)));
  }

  TempDir dir_;
  Trained trained_;
};

TEST_F(WeightsTest, SafetensorsKeepTypesShapesAndStrides) {
  const NamedTensors tensors = {{"strided", at::arange(6, at::kFloat).view({2, 3}).transpose(0, 1)},
                                {"half", at::arange(3, at::kFloat).to(at::kBFloat16)},
                                {"index", at::arange(5, at::kLong)},
                                {"none", at::zeros({0, 4})},
                                {"scalar", at::zeros({}) + 7}};
  ASSERT_TRUE(WriteSafetensors(Path("t"), tensors, {{"who", "me"}}).ok());
  const auto file = SafetensorsFile::Open(Path("t"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->view().metadata().at("who"), "me");
  const auto read = ReadTensors((*file)->view());
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    EXPECT_EQ(read->at(name).scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(at::equal(read->at(name), tensor)) << name;
  }
}

// Of the encoder's own tensors: a file may hold others, which nobody reads here.
TEST_F(WeightsTest, ValuesThatAreNotFiniteAreRefusedByName) {
  for (const char* key : {"blocks.1.attn.qkv.weight", "cls_token", "pos_embed", "norm.bias"}) {
    for (const at::ScalarType type : {at::kFloat, at::kHalf, at::kBFloat16}) {
      NamedTensors tensors = Timm();
      for (auto& [name, tensor] : tensors) tensor = tensor.to(type, /*non_blocking=*/false, /*copy=*/true);
      tensors.at(key).view({-1})[2] = std::numeric_limits<double>::infinity();
      Write("broken", tensors);
      const auto loaded = LoadEncoder(Path("broken"));
      ASSERT_EQ(loaded.status().code(), absl::StatusCode::kInvalidArgument) << key;
      EXPECT_TRUE(absl::StrContains(loaded.status().message(),
                                    "broken (read as timm): key " + std::string(key) + " holds 1 of "))
          << loaded.status();
      EXPECT_TRUE(
          absl::StrContains(loaded.status().message(), "values that are not finite, the first of them inf at 2"))
          << loaded.status();
      Parameters into(3);
      const auto encoder = MakeEncoder(TinyJob().encoder(), kImage, &into);
      const at::Tensor before = into.Find("encoder.norm.weight").detach().clone();
      EXPECT_EQ(LoadInto("broken", TinyJob().encoder(), &into).code(), absl::StatusCode::kInvalidArgument) << key;
      EXPECT_TRUE(at::equal(into.Find("encoder.norm.weight").detach(), before));
    }
  }
  NamedTensors tensors = Timm();
  tensors["head.weight"] = at::zeros({2, 12}) + std::nan("");
  Write("classifier", tensors);
  EXPECT_TRUE(LoadEncoder(Path("classifier")).ok()) << LoadEncoder(Path("classifier")).status();
}

TEST_F(WeightsTest, InBfloat16AFileIsHalfAsLargeAndItsFeaturesDifferLittle) {
  ExportHfVit();
  ASSERT_TRUE(
      ExportEncoder(WeightsLayout::kHfVit, trained_.checkpoint, TinyJob(), Path("rounded"), ExportedType::kBFloat16)
          .ok());
  const auto config = ReadFile(Path("rounded/config.json"));
  ASSERT_TRUE(config.ok());
  EXPECT_TRUE(absl::StrContains(*config, "\"torch_dtype\": \"bfloat16\""));
  const auto file = SafetensorsFile::Open(Path("rounded/model.safetensors"));
  ASSERT_TRUE(file.ok()) << file.status();
  for (const auto& [name, tensor] : (*file)->view().tensors()) EXPECT_EQ(tensor.dtype, "BF16") << name;
  const auto loaded = LoadEncoder(Path("rounded"));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const at::Tensor exact = trained_.Features(*trained_.encoder);
  const double error = (trained_.Features(*loaded->encoder) - exact).abs().max().item<double>();
  EXPECT_GT(error, 0);
  EXPECT_LT(error, 0.05 * exact.abs().max().item<double>());
}

TEST_F(WeightsTest, HuggingFaceRoundTrip) {
  ExportHfVit();
  const auto loaded = LoadEncoder(Path("encoder"));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->family, "hf-vit");
  EXPECT_EQ(loaded->image, kImage);
  EXPECT_EQ(loaded->spec.vit().heads(), 3);
  EXPECT_EQ(loaded->spec.vit().mlp_ratio(), 4);
  EXPECT_EQ(loaded->digest.size(), 64u);
  EXPECT_NEAR(loaded->statistics.std[2], 0.225, 1e-6);
  ExpectSameFeatures(*loaded);
  ExpectSameFeatures(LoadEncoder(Path("encoder/model.safetensors")).value());
}

TEST_F(WeightsTest, HuggingFacesConfigSaysWhatAutoModelNeeds) {
  ExportHfVit();
  const auto config = nlohmann::json::parse(ReadFile(Path("encoder/config.json")).value());
  EXPECT_EQ(config["model_type"], "vit");
  EXPECT_EQ(config["hidden_size"], 12);
  EXPECT_EQ(config["intermediate_size"], 48);
  EXPECT_EQ(config["layer_norm_eps"], 1e-6);
  EXPECT_EQ(config["image_size"], kImagePx);
  const auto file = SafetensorsFile::Open(Path("encoder/model.safetensors")).value();
  const NamedTensors tensors = ReadTensors(file->view()).value();
  EXPECT_TRUE(at::equal(tensors.at("vit.embeddings.position_embeddings")[0], SinCosPositions({4, 4, 4}, 12)));
  EXPECT_TRUE(at::equal(tensors.at("vit.encoder.layer.1.attention.attention.key.weight"),
                        trained_.checkpoint.at("encoder.blocks.1.attn.qkv.weight").slice(0, 12, 24)));
  EXPECT_EQ(file->view().metadata().at("format"), "pt");
}

TEST_F(WeightsTest, MimeoRoundTripLeavesTheOptimizerOut) {
  ASSERT_TRUE(ExportSafetensors(trained_.checkpoint, TinyJob(), Path("model.safetensors")).ok());
  const auto file = SafetensorsFile::Open(Path("model.safetensors")).value();
  EXPECT_EQ(file->view().tensors().count("optimizer.step"), 0u);
  EXPECT_EQ(file->view().tensors().count("objective.pixels.mask_token"), 1u);
  const auto loaded = LoadEncoder(Path("model.safetensors"));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->family, "mimeo");
  ExpectSameFeatures(*loaded);
}

TEST_F(WeightsTest, TimmAndMaeFiles) {
  NamedTensors tensors = Timm();
  tensors.emplace("head.weight", at::zeros({5, 12}));
  ASSERT_TRUE(WriteSafetensors(Path("timm"), tensors, {{"num_heads", "3"}}).ok());
  const auto timm = LoadEncoder(Path("timm"));
  ASSERT_TRUE(timm.ok()) << timm.status();
  EXPECT_EQ(timm->family, "timm");
  ExpectSameFeatures(*timm);
  tensors.erase("head.weight");
  tensors.emplace("decoder_pred.weight", at::zeros({5, 12}));
  tensors.emplace("mask_token", at::zeros({1, 1, 12}));
  ASSERT_TRUE(WriteSafetensors(Path("mae"), tensors, {{"num_heads", "3"}}).ok());
  EXPECT_EQ(LoadEncoder(Path("mae"))->family, "mae");
  ASSERT_TRUE(WriteSafetensors(Path("headless"), tensors, {}).ok());
  EXPECT_TRUE(absl::StrContains(LoadEncoder(Path("headless")).status().message(), "width 12"));
}

TEST_F(WeightsTest, LearnedPositionsAreKept) {
  NamedTensors tensors = Timm();
  tensors["pos_embed"] = tensors["pos_embed"] * 1.5;
  ASSERT_TRUE(WriteSafetensors(Path("timm"), tensors, {{"num_heads", "3"}}).ok());
  const auto loaded = LoadEncoder(Path("timm"));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_GT((trained_.Features(*loaded->encoder) - trained_.Features(*trained_.encoder)).abs().max().item<float>(),
            0.01);
  Parameters into(9);
  MakeEncoder(TinyJob().encoder(), kImage, &into);
  const absl::Status refused = LoadInto("timm", TinyJob().encoder(), &into);
  EXPECT_TRUE(absl::StrContains(refused.message(), "pos_embed are not sine-cosine positions")) << refused;
  EXPECT_TRUE(absl::StrContains(refused.message(), "set encoder.vit.positions to POSITIONS_LEARNED")) << refused;
}

TEST_F(WeightsTest, EveryBadKeyIsNamedAndNothingIsCopied) {
  NamedTensors tensors = Timm();
  tensors.erase("norm.bias");
  tensors.erase("blocks.0.mlp.fc2.weight");
  tensors["blocks.1.attn.qkv.weight"] = at::zeros({12, 12});
  tensors["blocks.1.attn.q_norm.weight"] = at::zeros({4});
  tensors["cls_token"] = at::zeros({1, 1, 12}, at::kLong);
  ASSERT_TRUE(WriteSafetensors(Path("bad"), tensors, {{"num_heads", "3"}}).ok());
  Parameters into(9);
  MakeEncoder(TinyJob().encoder(), kImage, &into);
  const at::Tensor before = into.Find("encoder.norm.weight").detach().clone();
  for (const absl::Status& refused : {LoadEncoder(Path("bad")).status(), LoadInto("bad", TinyJob().encoder(), &into)}) {
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
    for (const char* part : {"missing key norm.bias, shape [12]", "missing key blocks.0.mlp.fc2.weight, shape [12, 48]",
                             "key blocks.1.attn.qkv.weight has shape [12, 12], should be [36, 12]",
                             "unknown key blocks.1.attn.q_norm.weight", "key cls_token holds Long"}) {
      EXPECT_TRUE(absl::StrContains(refused.message(), part)) << part << "\nin\n" << refused;
    }
  }
  EXPECT_TRUE(at::equal(into.Find("encoder.norm.weight"), before));
}

TEST_F(WeightsTest, LoadIntoMatchesShapes) {
  ExportHfVit();
  Parameters same(9), deeper(9);
  const auto encoder = MakeEncoder(TinyJob().encoder(), kImage, &same);
  ASSERT_TRUE(LoadInto("encoder", TinyJob().encoder(), &same).ok());
  EXPECT_TRUE(at::equal(trained_.Features(*encoder), trained_.Features(*trained_.encoder)));
  EXPECT_TRUE(same.Find("encoder.norm.weight").requires_grad());
  JobSpec deep = TinyJob();
  deep.mutable_encoder()->mutable_vit()->set_depth(3);
  MakeEncoder(deep.encoder(), kImage, &deeper);
  const absl::Status refused = LoadInto("encoder", deep.encoder(), &deeper);
  EXPECT_TRUE(absl::StrContains(refused.message(), "it has 2 for encoder.vit.depth; this encoder has 3")) << refused;
}

TEST_F(WeightsTest, InitialWeightsMayComeFromAnotherResolution) {
  ExportHfVit();
  Parameters larger(9);
  constexpr ImageShape kLarger = {3, 2 * kImagePx, 2 * kImagePx};
  const auto encoder = MakeEncoder(TinyJob().encoder(), kLarger, &larger);
  ASSERT_TRUE(LoadInto("encoder", TinyJob().encoder(), &larger, kLarger).ok());
  EXPECT_TRUE(at::equal(larger.Find("encoder.pos_embed"), SinCosPositions(encoder->grid(), 12)));
}

TEST_F(WeightsTest, ATruncatedFileIsRefusedByName) {
  ExportHfVit();
  const std::string path = Path("encoder/model.safetensors"), whole = ReadFile(path).value();
  for (const size_t size : {size_t{0}, size_t{5}, size_t{100}, whole.size() / 2, whole.size() - 1}) {
    ASSERT_TRUE(WriteFileAtomic(path, whole.substr(0, size)).ok());
    const absl::Status refused = LoadEncoder(Path("encoder")).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kDataLoss) << size << " bytes: " << refused;
    EXPECT_TRUE(absl::StrContains(refused.message(), path)) << refused;
  }
}

TEST_F(WeightsTest, OtherFilesAreRefused) {
  EXPECT_EQ(LoadEncoder(Path("absent")).status().code(), absl::StatusCode::kNotFound);
  Write("resnet", {{"stem.conv1.weight", at::zeros({8, 3, 4, 4})}});
  const absl::Status unknown = LoadEncoder(Path("resnet")).status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(unknown.message(), "stem.conv1.weight")) << unknown;
  ExportHfVit();
  const std::string bad =
      R"({"hidden_act": "swish", "num_attention_heads": 0, "layer_norm_eps": "small", "image_size": [16]})";
  ASSERT_TRUE(WriteFileAtomic(Path("encoder/config.json"), bad).ok());
  const absl::Status config = LoadEncoder(Path("encoder")).status();
  for (const char* part : {"num_attention_heads", "layer_norm_eps", "swish", "image_size", "(read as hf-vit)"}) {
    EXPECT_TRUE(absl::StrContains(config.message(), part)) << config;
  }
}

TEST_F(WeightsTest, ExportNamesWhatACheckpointLacks) {
  NamedTensors checkpoint = trained_.checkpoint;
  checkpoint.erase("encoder.norm.weight");
  checkpoint["encoder.cls_token"] = at::zeros({1, 12});
  const absl::Status refused = ExportEncoder(WeightsLayout::kHfVit, checkpoint, TinyJob(), Path("encoder"));
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(refused.message(), "missing key encoder.norm.weight, shape [12]")) << refused;
  EXPECT_TRUE(absl::StrContains(refused.message(), "key encoder.cls_token has shape [1, 12], should be [1, 1, 12]"))
      << refused;
  EXPECT_FALSE(FileExists(Path("encoder/model.safetensors")));
}

// The number in a note "NAME: number, where from".
std::string NoteOf(const LoadedEncoder& loaded, const std::string& name) {
  for (const std::string& note : loaded.notes) {
    if (absl::StartsWith(note, name + ": ")) return note.substr(name.size() + 2);
  }
  return "";
}

TEST_F(WeightsTest, NotesSayWhatIsReadAndWhatIsAssumed) {
  Write("timm", Timm(), {{"num_heads", "3"}, {"activation", "quick_gelu"}});
  const LoadedEncoder loaded = LoadEncoder(Path("timm")).value();
  EXPECT_EQ(loaded.spec.vit().activation(), ACTIVATION_QUICK_GELU);
  EXPECT_EQ(NoteOf(loaded, "family"), "timm, by its key patch_embed.proj.weight");
  EXPECT_EQ(NoteOf(loaded, "heads"), "3, from metadata key `num_heads`");
  EXPECT_EQ(NoteOf(loaded, "activation"), "quick_gelu, from metadata key `activation`");
  EXPECT_EQ(NoteOf(loaded, "norm epsilon"), "1e-06, assumed for the family");
  EXPECT_EQ(NoteOf(loaded, "positions"), "sine-cosine");
  EXPECT_TRUE(absl::StrContains(NoteOf(loaded, "pixels"), "ImageNet's, assumed for the family"));
}

TEST_F(WeightsTest, DinosWrongConfigurationIsKnownByName) {
  for (const char* folder : {"dino-vits16", "vit-base"}) {
    ASSERT_TRUE(ExportEncoder(WeightsLayout::kHfVit, trained_.checkpoint, TinyJob(), Path(folder)).ok());
    const std::string config = JoinPath(Path(folder), "config.json");
    const std::string preprocessor = JoinPath(Path(folder), "preprocessor_config.json");
    ASSERT_TRUE(WriteFileAtomic(config, R"({"num_attention_heads": 3, "layer_norm_eps": 1e-12})").ok());
    ASSERT_TRUE(WriteFileAtomic(preprocessor, R"({"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]})").ok());
  }
  const LoadedEncoder dino = LoadEncoder(Path("dino-vits16")).value(), plain = LoadEncoder(Path("vit-base")).value();
  EXPECT_EQ(dino.spec.vit().norm_epsilon(), 1e-6);
  EXPECT_EQ(dino.statistics.mean, ImageNetStatistics().mean);
  EXPECT_TRUE(absl::StrContains(NoteOf(dino, "norm epsilon"), "DINO's own; config.json says 1e-12"))
      << NoteOf(dino, "norm epsilon");
  EXPECT_EQ(plain.spec.vit().norm_epsilon(), 1e-12);
  EXPECT_EQ(plain.statistics.mean, std::vector<float>(3, 0.5f));
  EXPECT_TRUE(absl::StrContains(NoteOf(plain, "norm epsilon"), "facebook/dino-*")) << NoteOf(plain, "norm epsilon");
}

TEST_F(WeightsTest, PositionsAreInterpolatedForTheImagesThatAreWanted) {
  NamedTensors tensors = Timm();
  tensors["pos_embed"] = at::sin(at::arange(17 * 12, at::kFloat)).view({1, 17, 12});
  Write("timm", tensors);
  const LoadedEncoder own = LoadEncoder(Path("timm")).value(), wide = LoadEncoder(Path("timm"), {16, 24}).value();
  EXPECT_EQ(wide.image, (ImageShape{3, 16, 24}));
  const at::Tensor positions_LD = wide.parameters->Find("encoder.pos_embed");
  ASSERT_EQ(positions_LD.size(0), 1 + 4 * 6);
  EXPECT_TRUE(at::equal(positions_LD[0], own.parameters->Find("encoder.pos_embed")[0]));
  EXPECT_EQ(wide.notes.back(), "positions: interpolated from 4 x 4 to 4 x 6");
  for (const LoadOptions& bad : {LoadOptions{18, 16}, LoadOptions{16, 0}, LoadOptions{-16, 16}}) {
    EXPECT_EQ(LoadEncoder(Path("timm"), bad).status().code(), absl::StatusCode::kInvalidArgument) << bad.height_px;
  }

  JobSpec job = TinyJob();
  job.mutable_encoder()->mutable_vit()->set_positions(POSITIONS_LEARNED);
  Parameters into(9);
  MakeEncoder(job.encoder(), {3, 16, 24}, &into);
  ASSERT_TRUE(LoadInto("timm", job.encoder(), &into, {3, 16, 24}).ok());
  EXPECT_TRUE(at::equal(into.Find("encoder.pos_embed"), positions_LD));
}

TEST_F(WeightsTest, InitialWeightsOfAnotherArchitectureAreRefusedByField) {
  Write("timm", Timm());
  JobSpec job = TinyJob();
  VitSpec* vit = job.mutable_encoder()->mutable_vit();
  vit->set_pre_norm(true), vit->set_patch_bias(false), vit->set_layer_scale(1), vit->set_register_tokens(2),
      vit->set_heads(2);
  vit->set_activation(ACTIVATION_QUICK_GELU), vit->set_norm_epsilon(1e-5);
  Parameters into(9);
  MakeEncoder(job.encoder(), kImage, &into);
  const absl::Status refused = LoadInto("timm", job.encoder(), &into);
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  for (const char* part : {"it has false for encoder.vit.pre_norm; this encoder has true", "encoder.vit.patch_bias",
                           "encoder.vit.layer_scale", "it has 0 for encoder.vit.register_tokens; this encoder has 2",
                           "it has 3 for encoder.vit.heads; this encoder has 2"}) {
    EXPECT_TRUE(absl::StrContains(refused.message(), part)) << part << "\nin\n" << refused;
  }
  // What the file does not state is the job's to say.
  EXPECT_FALSE(absl::StrContains(refused.message(), "activation")) << refused;
  EXPECT_FALSE(absl::StrContains(refused.message(), "norm_epsilon")) << refused;
}

TEST_F(WeightsTest, WrappersAreStripped) {
  NamedTensors dino;
  for (const auto& [key, tensor] : Timm()) dino["module.backbone." + key] = tensor;
  dino["module.head.mlp.0.weight"] = at::zeros({3, 3});
  Write("dino", dino);
  const absl::StatusOr<LoadedEncoder> loaded = LoadEncoder(Path("dino"));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  ExpectSameFeatures(*loaded);
}

TEST_F(WeightsTest, SwiGluIsRefusedByName) {
  NamedTensors dinov2 = Timm();
  dinov2["blocks.0.mlp.w12.weight"] = at::zeros({96, 12});
  Write("official", dinov2);
  NamedTensors timm = Timm();
  timm["blocks.0.mlp.fc1.weight"] = at::zeros({96, 12});
  Write("packed", timm);
  for (const char* name : {"official", "packed"}) {
    const absl::Status refused = LoadEncoder(Path(name)).status();
    EXPECT_TRUE(absl::StrContains(refused.message(), "SwiGLU")) << refused;
  }
}

TEST_F(WeightsTest, MeanPooledClassifiersLackTheLastNorm) {
  NamedTensors tensors = Timm();
  tensors["fc_norm.weight"] = tensors["norm.weight"], tensors["fc_norm.bias"] = tensors["norm.bias"];
  Write("both", tensors);
  EXPECT_TRUE(LoadEncoder(Path("both")).ok());
  tensors.erase("norm.weight"), tensors.erase("norm.bias");
  Write("pooled", tensors);
  const absl::Status refused = LoadEncoder(Path("pooled")).status();
  EXPECT_TRUE(absl::StrContains(refused.message(), "fine-tuned with mean pooling")) << refused;
}

TEST_F(WeightsTest, GridsThatAreNoSquaresNeedAStatedSize) {
  NamedTensors tensors = Timm();
  tensors["pos_embed"] = at::zeros({1, 1 + 2 * 6, 12});
  tensors["patch_embed.proj.weight"] = at::zeros({12, 5, 4, 4}, at::kBFloat16);
  Write("unstated", tensors);
  EXPECT_TRUE(absl::StrContains(LoadEncoder(Path("unstated")).status().message(), "`image_height_px`"));
  Write("stated", tensors, {{"num_heads", "3"}, {"image_height_px", "8"}, {"image_width_px", "24"}});
  const absl::StatusOr<LoadedEncoder> loaded = LoadEncoder(Path("stated"));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->image, (ImageShape{5, 8, 24}));
  EXPECT_EQ(loaded->statistics.mean.size(), 5u);
}

}  // namespace
}  // namespace mimeo
