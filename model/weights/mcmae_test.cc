// MCMAE's names: a ConvViT of Mimeo's, exported, is read back from the shapes of its tensors alone.
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/sin.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/match.h"
#include "base/file.h"
#include "base/safetensors.h"
#include "model/testing/vit_spec.h"
#include "model/weights.h"

namespace mimeo {
namespace {

JobSpec Job(bool class_token) {
  JobSpec job;
  *job.mutable_data() = testing::PlainData(/*image_px=*/32);
  ConvVitSpec* conv = job.mutable_encoder()->mutable_conv_vit();
  conv->set_stem_px(2), conv->set_width(64), conv->set_depth(2), conv->set_heads(1), conv->set_mlp_ratio(2);
  conv->add_stage_width(8), conv->add_stage_width(12), conv->add_stage_depth(1), conv->add_stage_depth(2);
  conv->set_class_token(class_token), conv->set_drop_path(0), conv->set_stages(STAGES_AT_VISIBLE_TILES);
  return job;
}

struct Trained {
  explicit Trained(const JobSpec& job) : parameters(3) {
    encoder = MakeEncoder(job.encoder(), ImageShapeOf(job.data()), &parameters);
    const at::NoGradGuard no_grad;
    for (const auto& [name, tensor] : parameters.all()) {
      tensor.add_(at::sin(at::arange(tensor.numel(), at::kFloat) * 0.7).view_as(tensor) * 0.1);
      checkpoint[name] = tensor.detach();
    }
  }
  Parameters parameters;
  std::unique_ptr<Encoder> encoder;
  NamedTensors checkpoint;
};

at::Tensor Features(const Encoder& encoder) {
  const at::Tensor images = at::sin(at::arange(3 * 32 * 32, at::kFloat) * 0.61).view({1, 3, 32, 32});
  return encoder.Encode(images, AllVisible(1, encoder.grid().num_patches(), at::kCPU)).visible_BKD.detach();
}

TEST(McmaeTest, RoundTrip) {
  for (const bool class_token : {false, true}) {
    const JobSpec job = Job(class_token);
    const Trained trained(job);
    const TempDir dir;
    ASSERT_TRUE(ExportEncoder(WeightsLayout::kMcmae, trained.checkpoint, job, dir.path()).ok());
    const auto file = SafetensorsFile::Open(JoinPath(dir.path(), "model.safetensors")).value();
    EXPECT_EQ(file->view().tensors().count("blocks1.0.conv1.weight"), 1u);
    EXPECT_EQ(file->view().tensors().at("pos_embed").shape, (std::vector<int64_t>{1, class_token ? 17 : 16, 64}));
    const absl::StatusOr<LoadedEncoder> loaded = LoadEncoder(dir.path());
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_EQ(loaded->family, "mcmae");
    EXPECT_EQ(loaded->spec.SerializeAsString(), job.encoder().SerializeAsString()) << loaded->spec.DebugString();
    EXPECT_TRUE(at::equal(Features(*loaded->encoder), Features(*trained.encoder)));

    Parameters into(9);
    MakeEncoder(job.encoder(), ImageShapeOf(job.data()), &into);
    ASSERT_TRUE(LoadEncoderInto(dir.path(), job.encoder(), ImageShapeOf(job.data()), &into).ok());
    EXPECT_TRUE(at::equal(into.Find("encoder.patch_embed1.proj.weight"),
                          trained.checkpoint.at("encoder.patch_embed1.proj.weight")));
  }
}

TEST(McmaeTest, MimeosFilesAndOtherLayouts) {
  const JobSpec job = Job(false);
  const Trained trained(job);
  const TempDir dir;
  const std::string path = JoinPath(dir.path(), "model.safetensors");
  ASSERT_TRUE(ExportSafetensors(trained.checkpoint, job, path).ok());
  const absl::StatusOr<LoadedEncoder> loaded = LoadEncoder(path);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->family, "mimeo");
  EXPECT_TRUE(at::equal(Features(*loaded->encoder), Features(*trained.encoder)));
  const absl::Status refused =
      ExportEncoder(WeightsLayout::kHfVit, trained.checkpoint, job, JoinPath(dir.path(), "hf"));
  EXPECT_TRUE(absl::StrContains(refused.message(), "encoder is a conv_vit, which only mcmae and safetensors hold"))
      << refused;
}

}  // namespace
}  // namespace mimeo
