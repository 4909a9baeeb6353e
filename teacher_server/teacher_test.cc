#include "teacher_server/teacher.h"

#include <ATen/ops/allclose.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/from_blob.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/digest.h"
#include "base/file.h"
#include "base/random_key.h"
#include "model/encoder.h"
#include "model/mask_plan.h"
#include "model/parameters.h"

namespace mimeo {
namespace {

constexpr int kImagePx = 32;
constexpr int kWidth = 16;
constexpr int kPatches = 16;

// A tiny random encoder, and the same one in a weights file.
class FrozenTeacherTest : public ::testing::Test {
 protected:
  void SetUp() override {
    spec_.mutable_data()->set_image_px(kImagePx);
    VitSpec* vit = spec_.mutable_encoder()->mutable_vit();
    vit->set_patch_px(8);
    vit->set_width(kWidth);
    vit->set_depth(2);
    vit->set_heads(2);
    vit->set_mlp_ratio(4);
    encoder_ = MakeEncoder(spec_.encoder(), kImagePx, &parameters_);
    NamedTensors tensors;
    for (const auto& [name, tensor] : parameters_.all()) tensors[name] = tensor.detach();
    path_ = JoinPath(dir_.path(), "teacher.safetensors");
    ASSERT_TRUE(ExportSafetensors(tensors, spec_, path_).ok());
  }

  at::Tensor RandomImages(int count, int seed) const {
    at::Tensor images = at::empty({count, 3, kImagePx, kImagePx}, at::kByte);
    const RandomKey key(seed);
    for (int64_t i = 0; i < images.numel(); ++i) images.data_ptr<uint8_t>()[i] = key.Below(256, i);
    return images;
  }

  FeatureTask Task(const at::Tensor& images, int num_visible, std::vector<int32_t> indices) const {
    FeatureTask task;
    task.num_images = static_cast<int>(images.size(0));
    task.num_visible = num_visible;
    task.images.assign(static_cast<const char*>(images.const_data_ptr()), images.nbytes());
    task.indices = std::move(indices);
    return task;
  }

  // (B, L, T) by the encoder itself.
  at::Tensor Direct(const at::Tensor& images) const {
    return encoder_
        ->Encode(NormalizePixels(images, ImageNetStatistics()), AllVisible(images.size(0), kPatches, at::kCPU))
        .visible_BKD.detach();
  }

  TempDir dir_;
  JobSpec spec_;
  Parameters parameters_{7};
  std::unique_ptr<Encoder> encoder_;
  std::string path_;
};

TEST_F(FrozenTeacherTest, ContractSaysWhatTheWeightsAre) {
  auto teacher = FrozenTeacher::Load("tiny", path_);
  ASSERT_TRUE(teacher.ok()) << teacher.status();
  const TeacherContract& contract = (*teacher)->contract();
  EXPECT_EQ(contract.name(), "tiny");
  EXPECT_EQ(contract.weights_digest(), Sha256Hex(ReadFile(path_).value()));
  EXPECT_EQ(contract.feature_width(), kWidth);
  EXPECT_EQ(contract.image_px(), kImagePx);
  EXPECT_EQ(contract.patch_px(), 8);
  EXPECT_FALSE(contract.family().empty());
  ASSERT_EQ(contract.mean_size(), 3);
  EXPECT_FLOAT_EQ(contract.mean(0), 0.485f);
  EXPECT_FLOAT_EQ(contract.std(2), 0.225f);
}

TEST_F(FrozenTeacherTest, GivesTheEncodersTokensAtVisiblePatches) {
  auto teacher = FrozenTeacher::Load("tiny", path_);
  ASSERT_TRUE(teacher.ok()) << teacher.status();
  // Three requests that differ in images and in visible patches, in one pass.
  const std::vector<at::Tensor> images = {RandomImages(2, 1), RandomImages(1, 2), RandomImages(3, 3)};
  const std::vector<FeatureTask> tasks = {Task(images[0], 3, {0, 5, 15, 2, 3, 4}), Task(images[1], kPatches, {}),
                                          Task(images[2], 1, {15, 0, 7})};
  auto features = (*teacher)->Compute(tasks);
  ASSERT_TRUE(features.ok()) << features.status();
  ASSERT_EQ(features->size(), 3u);
  for (size_t i = 0; i < tasks.size(); ++i) {
    const FeatureTask& task = tasks[i];
    ASSERT_EQ((*features)[i].size(), sizeof(float) * task.num_images * task.num_visible * kWidth);
    const at::Tensor got =
        at::from_blob((*features)[i].data(), {task.num_images, task.num_visible, kWidth}, at::kFloat);
    const at::Tensor expected = Direct(images[i]);
    for (int b = 0; b < task.num_images; ++b) {
      for (int k = 0; k < task.num_visible; ++k) {
        const int patch = task.indices.empty() ? k : task.indices[b * task.num_visible + k];
        EXPECT_TRUE(at::allclose(got[b][k], expected[b][patch], 1e-5, 1e-5)) << i << " " << b << " " << k;
      }
    }
  }
}

TEST_F(FrozenTeacherTest, UnusableWeightsAreRefusedByPath) {
  EXPECT_EQ(FrozenTeacher::Load("tiny", "/nowhere.safetensors").status().code(), absl::StatusCode::kNotFound);
  const std::string whole = ReadFile(path_).value();
  const std::string cut = JoinPath(dir_.path(), "cut.safetensors");
  ASSERT_TRUE(WriteFileAtomic(cut, whole.substr(0, whole.size() / 2)).ok());
  const absl::Status status = FrozenTeacher::Load("tiny", cut).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("cut.safetensors"));
}

}  // namespace
}  // namespace mimeo
