// What people give in place of one plain file of weights: shards with an index, an encoder under the names of training
// code, a file beside the wrong config.json, a text.
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/zeros.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/testing/vit_spec.h"
#include "model/weights.h"

namespace mimeo {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using testing::StatusIs;

constexpr ImageShape kImage = {3, 16, 16};
constexpr int kBlocks = 4;
using Metadata = std::map<std::string, std::string>;

class OpenWeightsTest : public ::testing::Test {
 protected:
  // An encoder under timm's names, with a learned row for the class token and 4 x 4 patches.
  OpenWeightsTest() {
    EncoderSpec spec;
    *spec.mutable_vit() = testing::PlainVit(/*patch_px=*/4, /*width=*/12, kBlocks, /*heads=*/3);
    spec.mutable_vit()->set_positions(POSITIONS_LEARNED);
    Parameters parameters(2);
    MakeEncoder(spec, kImage, &parameters);
    const at::NoGradGuard no_grad;
    double phase = 0;
    for (const auto& [name, tensor] : parameters.all()) {
      const at::Tensor value = at::sin(at::arange(tensor.numel(), at::kFloat) * 0.7 + ++phase).view_as(tensor);
      timm_[name.substr(8)] = name == "encoder.pos_embed" ? value.unsqueeze(0) : value;
    }
  }

  std::string Path(const std::string& name) const { return JoinPath(dir_.path(), name); }
  void Write(const std::string& name, const NamedTensors& tensors, const Metadata& metadata = {{"num_heads", "3"}}) {
    ASSERT_OK(WriteSafetensors(Path(name), tensors, metadata));
  }
  // The tensors with a prefix, and each name changed by `rename`.
  template <typename Rename>
  NamedTensors Renamed(Rename rename) const {
    NamedTensors renamed;
    for (const auto& [name, tensor] : timm_) renamed[rename(name)] = tensor;
    return renamed;
  }
  NamedTensors Under(const std::string& prefix) const {
    return Renamed([&](const std::string& name) { return prefix + name; });
  }
  // The file is the encoder of timm_, to the last bit.
  void ExpectSame(const std::string& path) const {
    const absl::StatusOr<LoadedEncoder> loaded = LoadEncoder(path);
    ASSERT_TRUE(loaded.ok()) << path << ": " << loaded.status();
    EXPECT_EQ(loaded->spec.vit().depth(), kBlocks);
    for (const auto& [name, tensor] : loaded->parameters->all()) {
      EXPECT_TRUE(at::equal(tensor.flatten(), timm_.at(name.substr(8)).flatten())) << path << ": " << name;
    }
  }
  // Two shards and their index in `folder`. What is in the index may be changed.
  nlohmann::json WriteShards(const std::string& folder) {
    EXPECT_OK(MakeDirs(Path(folder)));
    NamedTensors shards[2];
    nlohmann::json index = {{"metadata", {{"total_size", 1}}}, {"weight_map", nlohmann::json::object()}};
    int number = 0;
    for (const auto& [name, tensor] : timm_) {
      const int shard = number++ % 2;
      shards[shard][name] = tensor;
      index["weight_map"][name] = ShardName(shard);
    }
    for (int shard = 0; shard < 2; ++shard) {
      Write(absl::StrCat(folder, "/", ShardName(shard)), shards[shard],
            {{"num_heads", "3"}, {"shard", absl::StrCat(shard)}});
    }
    WriteIndex(folder, index);
    return index;
  }
  void WriteIndex(const std::string& folder, const nlohmann::json& index) {
    EXPECT_OK(WriteFileAtomic(Path(folder + "/model.safetensors.index.json"), index.dump()));
  }
  static std::string ShardName(int shard) { return absl::StrCat("model-0000", shard + 1, "-of-00002.safetensors"); }

  TempDir dir_;
  NamedTensors timm_;
};

TEST_F(OpenWeightsTest, ShardsAreReadByTheirIndex) {
  WriteShards("vit");
  ExpectSame(Path("vit"));
  ExpectSame(Path("vit/model.safetensors.index.json"));
  const LoadedEncoder loaded = LoadEncoder(Path("vit")).value();
  EXPECT_THAT(loaded.notes, Contains("shards: 2"));
  std::string digests;
  for (int shard = 0; shard < 2; ++shard) {
    absl::StrAppend(&digests, Sha256Hex(ReadFile(Path("vit/" + ShardName(shard))).value()), "\n");
  }
  EXPECT_EQ(loaded.digest, Sha256Hex(digests));
}

TEST_F(OpenWeightsTest, ShardsThatAreNotTheIndexsAreRefusedByName) {
  nlohmann::json index = WriteShards("vit");
  EXPECT_THAT(LoadEncoder(Path("vit/" + ShardName(1))).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, "it is one of 00002 shards of a model"));
  const std::string key = "norm.bias", has = index["weight_map"][key], lacks = ShardName(has == ShardName(0) ? 1 : 0);
  index["weight_map"][key] = lacks;
  WriteIndex("vit", index);
  const absl::Status moved = LoadEncoder(Path("vit")).status();
  EXPECT_THAT(moved, StatusIs(absl::StatusCode::kInvalidArgument, lacks + " lacks \"norm.bias\""));
  EXPECT_THAT(moved.message(), HasSubstr(has + " holds \"norm.bias\", which the index has in " + lacks));
  index["weight_map"][key] = "model-00003-of-00003.safetensors";
  WriteIndex("vit", index);
  EXPECT_THAT(
      LoadEncoder(Path("vit")).status(),
      StatusIs(absl::StatusCode::kNotFound, "of its 3 shards these are missing beside it: model-00003-of-00003"));
  index["weight_map"][key] = "../" + has;
  WriteIndex("vit", index);
  EXPECT_THAT(LoadEncoder(Path("vit")).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, "model.safetensors.index.json: weight_map has \"../model-"));
  EXPECT_OK(MakeDirs(Path("empty")));
  EXPECT_THAT(LoadEncoder(Path("empty")).status(),
              StatusIs(absl::StatusCode::kNotFound, "a folder without weights; it should hold model.safetensors"));
}

TEST_F(OpenWeightsTest, NamesOfTrainingCodeAreTakenOff) {
  for (const char* prefix : {"_orig_mod.backbone.", "module._orig_mod.", "model.", "encoder.", "module.encoder.",
                             "student_backbone.", "base_encoder.", "module.momentum_encoder."}) {
    NamedTensors tensors = Under(prefix);
    tensors["projector.0.weight"] = at::zeros({3, 3});
    Write("prefixed", tensors);
    ExpectSame(Path("prefixed"));
  }
  Write("chunks", Renamed([](const std::string& name) {
          if (!absl::StartsWith(name, "blocks.")) return "teacher.backbone." + name;
          return absl::StrCat("teacher.backbone.blocks.", name[7] < '2' ? 0 : 1, ".", name.substr(7));
        }));
  ExpectSame(Path("chunks"));
  NamedTensors both = Under("student_backbone.");
  both.merge(Under("teacher_backbone."));
  Write("both", both);
  EXPECT_THAT(
      LoadEncoder(Path("both")).status(),
      StatusIs(absl::StatusCode::kInvalidArgument,
               "both: it holds 2 encoders, one under \"student_backbone.\" and one under \"teacher_backbone.\""));
}

TEST_F(OpenWeightsTest, BuffersOfIntegersAreNoWeights) {
  NamedTensors tensors = timm_;
  tensors["position_ids"] = at::arange(17, at::kLong);
  tensors["blocks.1.attn.relative_position_index"] = at::zeros({4, 4}, at::kLong);
  tensors["bn.num_batches_tracked"] = at::zeros({}, at::kShort);
  tensors["steps"] = at::zeros({1}, at::kChar);
  Write("buffers", tensors);
  ExpectSame(Path("buffers"));
  EXPECT_THAT(LoadEncoder(Path("buffers"))->notes,
              Contains("passed over: 4 tensors of integers, such as blocks.1.attn.relative_position_index"));
  tensors["blocks.1.attn.q_norm.weight"] = at::zeros({4});
  Write("buffers", tensors);
  EXPECT_THAT(LoadEncoder(Path("buffers")).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, "unknown key blocks.1.attn.q_norm.weight"));
}

TEST_F(OpenWeightsTest, AConfigOfOtherSizesIsRefusedWithBothNumbers) {
  ASSERT_OK(MakeDirs(Path("deep")));
  Write("deep/model.safetensors", timm_);
  const auto load_with = [&](const std::string& config) {
    EXPECT_OK(WriteFileAtomic(Path("deep/config.json"), config));
    return LoadEncoder(Path("deep")).status();
  };
  EXPECT_OK(load_with(R"({"num_hidden_layers": 4, "hidden_size": 12, "patch_size": 4, "intermediate_size": 48})"));
  EXPECT_THAT(load_with(R"({"num_hidden_layers": 6})"),
              StatusIs(absl::StatusCode::kInvalidArgument, "num_hidden_layers is 6, but the tensors have 4"));
  EXPECT_THAT(load_with(R"({"model_args": {"depth": 6}})"),
              StatusIs(absl::StatusCode::kInvalidArgument, "depth is 6, but the tensors have 4"));
  EXPECT_THAT(load_with(R"({"intermediate_size": 96, "num_channels": 1})"),
              StatusIs(absl::StatusCode::kInvalidArgument, "intermediate_size is 96, but the tensors have 48"));
}

// 25 rows: 4 x 6 patches and the class token, or 5 x 5 patches.
TEST_F(OpenWeightsTest, PositionsThatMayBeOfTwoGridsNeedAStatedSize) {
  ASSERT_OK(MakeDirs(Path("wide")));
  timm_["pos_embed"] = at::sin(at::arange(25 * 12, at::kFloat)).view({1, 25, 12});
  Write("wide/model.safetensors", timm_);
  const absl::Status refused = LoadEncoder(Path("wide")).status();
  EXPECT_THAT(refused,
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "has 25 rows; 24 patches beside the class token are no square, and 25 without a row for "
                       "it would be 5 x 5"));
  EXPECT_THAT(refused.message(), HasSubstr("(such as [16, 24] for 4 x 6 patches)"));
  const std::pair<const char*, ImageShape> stated[] = {{R"({"image_size": [16, 24]})", {3, 16, 24}},
                                                       {R"({"image_size": 20})", {3, 20, 20}}};
  for (const auto& [config, image] : stated) {
    ASSERT_OK(WriteFileAtomic(Path("wide/config.json"), config));
    ASSERT_OK_AND_ASSIGN(const LoadedEncoder loaded, LoadEncoder(Path("wide")));
    EXPECT_EQ(loaded.image, image) << config;
  }
}

TEST_F(OpenWeightsTest, ATextInPlaceOfWeightsIsNamed) {
  const std::pair<const char*, const char*> texts[] = {
      {"version https://git-lfs.github.com/spec/v1\noid sha256:0d\nsize 343229816\n", "run `git lfs pull`"},
      {"<!DOCTYPE html><html>Sign in</html>", "it is a web page"},
      {"{\"error\":\"Entry not found\"}", "Entry not found"},
      {"", "it is empty"}};
  for (const char* name : {"model.safetensors", "pytorch_model.bin", "checkpoint.pth"}) {
    for (const auto& [text, said] : texts) {
      ASSERT_OK(WriteFileAtomic(Path(name), text));
      EXPECT_THAT(LoadEncoder(Path(name)).status(), StatusIs(absl::StatusCode::kDataLoss, said));
      EXPECT_THAT(LoadEncoder(Path(name)).status().message(), HasSubstr(Path(name)));
    }
  }
}

}  // namespace
}  // namespace mimeo
