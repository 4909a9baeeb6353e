// Files with the names and shapes of the released DINO, DINOv2, MAE and CLIP weights are read, and nothing in them is
// left over. Their values are not to be had here: the files are zeros, and sparse.
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "model/weights.h"

namespace mimeo {
namespace {

using Json = nlohmann::json;

const Json& Released() {
  static const Json* const released = new Json(Json::parse(ReadFile("tests/golden/released_keys.json").value()));
  return *released;
}

// Key -> shape; each block's keys written out.
Json KeysOf(const Json& file) {
  Json keys = file["tensors"];
  for (int i = 0; i < file["blocks"].get<int>(); ++i) {
    for (const auto& [key, shape] : file["block"].items()) {
      keys[absl::StrCat(file["prefix"].get<std::string>(), i, ".", key)] = shape;
    }
  }
  return keys;
}

// float16 tensors of zeros, of which only the header is on the disk.
void WriteSparse(const Json& keys, const std::string& path) {
  Json header = Json::object();
  uint64_t bytes = 0;
  for (const auto& [key, shape] : keys.items()) {
    uint64_t values = 1;
    for (const auto& size : shape) values *= size.get<uint64_t>();
    header[key] = {{"dtype", "F16"}, {"shape", shape}, {"data_offsets", {bytes, bytes + 2 * values}}};
    bytes += 2 * values;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();
  ASSERT_TRUE(WriteFileAtomic(path, std::string(reinterpret_cast<const char*>(&length), 8) + text).ok());
  std::filesystem::resize_file(path, 8 + length + bytes);
}

struct Expected {
  std::string name, family;
  int patch_px, width, heads, image_px, registers, projection;
  bool layer_scale, clip;
};

class ReleasedKeys : public ::testing::TestWithParam<Expected> {};

TEST_P(ReleasedKeys, AreReadToTheLastOne) {
  const Expected& expected = GetParam();
  const TempDir dir;
  const std::string path = JoinPath(dir.path(), "model.safetensors");
  WriteSparse(KeysOf(Released()[expected.name]), path);
  const auto loaded = LoadEncoder(path);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const VitSpec& vit = loaded->spec.vit();
  EXPECT_EQ(loaded->family, expected.family);
  EXPECT_EQ(vit.patch_px(), expected.patch_px);
  EXPECT_EQ(vit.width(), expected.width);
  EXPECT_EQ(vit.heads(), expected.heads);
  EXPECT_EQ(vit.depth(), 12);
  EXPECT_EQ(vit.register_tokens(), expected.registers);
  EXPECT_EQ(vit.layer_scale() > 0, expected.layer_scale);
  EXPECT_EQ(vit.pre_norm(), expected.clip);
  EXPECT_EQ(vit.patch_bias(), !expected.clip);
  EXPECT_EQ(vit.activation(), expected.clip ? ACTIVATION_QUICK_GELU : ACTIVATION_GELU);
  EXPECT_EQ(vit.norm_epsilon(), expected.clip ? 1e-5 : 1e-6);
  EXPECT_EQ(loaded->image, (ImageShape{3, expected.image_px, expected.image_px}));
  EXPECT_FLOAT_EQ(loaded->statistics.mean[0], expected.clip ? 0.48145466f : 0.485f);
  EXPECT_EQ(loaded->projection_DE.defined() ? loaded->projection_DE.size(1) : 0, expected.projection);
}
INSTANTIATE_TEST_SUITE_P(
    Files, ReleasedKeys,
    ::testing::Values(Expected{"dino_deitsmall16", "timm", 16, 384, 6, 224, 0, 0, false, false},
                      Expected{"dino_vitbase16", "timm", 16, 768, 12, 224, 0, 0, false, false},
                      Expected{"dinov2_vits14", "dinov2", 14, 384, 6, 518, 0, 0, true, false},
                      Expected{"dinov2_vits14_reg4", "dinov2", 14, 384, 6, 518, 4, 0, true, false},
                      Expected{"mae_pretrain_vit_base", "timm", 16, 768, 12, 224, 0, 0, false, false},
                      Expected{"openai_clip_vit_b_32", "openai-clip", 32, 768, 12, 224, 0, 512, false, true},
                      Expected{"openai_clip_vit_b_16", "openai-clip", 16, 768, 12, 224, 0, 512, false, true}),
    [](const auto& info) { return info.param.name; });

TEST(ReleasedKeysTest, EveryListedFileIsExpected) { EXPECT_EQ(Released().size(), 7u); }

}  // namespace
}  // namespace mimeo
