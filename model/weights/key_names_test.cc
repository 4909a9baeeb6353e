#include "model/weights/key_names.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/testing/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using testing::StatusIs;

absl::StatusOr<EncoderKeys> Find(const std::vector<std::string>& keys) { return FindEncoderKeys(keys, false); }

// The prefixes that training code is known for, and nestings of them.
TEST(KeyNamesTest, OnePrefixIsTakenOff) {
  for (const std::string prefix :
       {"", "_orig_mod.", "module.", "model.", "encoder.", "backbone.", "student_backbone.", "teacher_backbone.",
        "base_encoder.", "momentum_encoder.", "module._orig_mod.", "_orig_mod.module.model.encoder.",
        "model.module.backbone.", "module.base_encoder.", "student.backbone.", "state.encoder.module."}) {
    ASSERT_OK_AND_ASSIGN(const EncoderKeys found, Find({prefix + "patch_embed.proj.weight",
                                                        prefix + "blocks.0.norm1.bias", prefix + "cls_token"}));
    EXPECT_THAT(found.keys, ElementsAre(Pair("blocks.0.norm1.bias", prefix + "blocks.0.norm1.bias"),
                                        Pair("cls_token", prefix + "cls_token"),
                                        Pair("patch_embed.proj.weight", prefix + "patch_embed.proj.weight")))
        << prefix;
    EXPECT_EQ(found.notes.empty(), prefix.empty()) << prefix;
  }
}

TEST(KeyNamesTest, NamesOfFamiliesAreNoPrefixes) {
  for (const char* patch : {"vit.embeddings.patch_embeddings.projection.weight", "visual.conv1.weight",
                            "dinov2.embeddings.patch_embeddings.projection.weight",
                            "vision_model.embeddings.patch_embedding.weight", "patch_embed1.proj.weight"}) {
    ASSERT_OK_AND_ASSIGN(const EncoderKeys plain, Find({patch, "logit_scale"}));
    EXPECT_THAT(plain.keys, ElementsAre(Pair(::testing::_, ::testing::_), Pair(::testing::_, ::testing::_)));
    EXPECT_EQ(plain.keys.count(patch), 1u) << patch;
    ASSERT_OK_AND_ASSIGN(const EncoderKeys nested, Find({absl::StrCat("model.", patch), "logit_scale"}));
    EXPECT_THAT(nested.keys, ElementsAre(Pair(patch, absl::StrCat("model.", patch))));
    EXPECT_THAT(nested.notes, ElementsAre("keys: 1 of 2, those that begin with model."));
  }
}

TEST(KeyNamesTest, WrappersWithinTheModelAreTakenOut) {
  ASSERT_OK_AND_ASSIGN(const EncoderKeys found,
                       Find({"patch_embed.proj.weight", "blocks.0._orig_mod.norm1.bias",
                             "blocks.1._checkpoint_wrapped_module._fsdp_wrapped_module.norm1.bias"}));
  EXPECT_THAT(found.keys,
              ElementsAre(Pair("blocks.0.norm1.bias", ::testing::_), Pair("blocks.1.norm1.bias", ::testing::_),
                          Pair("patch_embed.proj.weight", ::testing::_)));
  EXPECT_THAT(found.notes, ElementsAre("keys: 2 without the names of torch's wrappers"));
}

TEST(KeyNamesTest, TwoEncodersAreRefusedWithBothNames) {
  const std::vector<std::pair<std::string, std::string>> pairs = {{"student_backbone.", "teacher_backbone."},
                                                                  {"module.base_encoder.", "module.momentum_encoder."},
                                                                  {"student.backbone.", "teacher.backbone."},
                                                                  {"model.", "model_ema."}};
  for (const auto& [one, other] : pairs) {
    const absl::Status refused = Find({one + "patch_embed.proj.weight", other + "patch_embed.proj.weight"}).status();
    EXPECT_THAT(refused, StatusIs(absl::StatusCode::kInvalidArgument,
                                  absl::StrCat("2 encoders, one under \"", one, "\" and one under \"", other, "\"")));
    EXPECT_THAT(refused.message(), HasSubstr("if key.startswith('" + other + "')}"));
  }
  EXPECT_THAT(Find({"patch_embed.proj.weight", "ema.patch_embed.proj.weight"}),
              StatusIs(absl::StatusCode::kInvalidArgument, "one without a prefix and one under \"ema.\""));
  EXPECT_THAT(Find({"patch_embed.proj.weight", "_orig_mod.patch_embed.proj.weight"}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "keys patch_embed.proj.weight and _orig_mod.patch_embed.proj.weight are both"));
}

// DINOv2's chunks: the blocks before a chunk are Identity in it, without tensors.
TEST(KeyNamesTest, BlocksInChunksKeepTheirOwnNumbers) {
  ASSERT_OK_AND_ASSIGN(const EncoderKeys found,
                       Find({"patch_embed.proj.weight", "blocks.0.0.norm1.bias", "blocks.0.1.norm1.bias",
                             "blocks.1.2.norm1.bias", "blocks.1.3.norm1.bias"}));
  EXPECT_THAT(found.keys, ElementsAre(Pair("blocks.0.norm1.bias", "blocks.0.0.norm1.bias"),
                                      Pair("blocks.1.norm1.bias", "blocks.0.1.norm1.bias"),
                                      Pair("blocks.2.norm1.bias", "blocks.1.2.norm1.bias"),
                                      Pair("blocks.3.norm1.bias", "blocks.1.3.norm1.bias"),
                                      Pair("patch_embed.proj.weight", ::testing::_)));
  EXPECT_EQ(found.notes.size(), 1u);
  EXPECT_THAT(Find({"patch_embed.proj.weight", "blocks.0.0.norm1.bias", "blocks.1.0.norm1.bias"}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "keys blocks.0.0.norm1.bias and blocks.1.0.norm1.bias are both blocks.0.norm1.bias"));
  EXPECT_THAT(Find({"patch_embed.proj.weight", "blocks.0.0.norm1.bias", "blocks.1.norm1.bias"}),
              StatusIs(absl::StatusCode::kInvalidArgument, "all should be in chunks, or none"));
}

TEST(KeyNamesTest, OtherFilesAndMimeosOwnStayAsTheyAre) {
  ASSERT_OK_AND_ASSIGN(const EncoderKeys resnet, Find({"stem.conv1.weight"}));
  EXPECT_THAT(resnet.keys, ElementsAre(Pair("stem.conv1.weight", "stem.conv1.weight")));
  ASSERT_OK_AND_ASSIGN(
      const EncoderKeys mimeo,
      FindEncoderKeys({"encoder.patch_embed.proj.weight", "ema.encoder.patch_embed.proj.weight"}, true));
  EXPECT_EQ(mimeo.keys.size(), 2u);
  EXPECT_THAT(mimeo.notes, IsEmpty());
}

}  // namespace
}  // namespace mimeo
