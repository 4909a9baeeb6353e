#include "teacher_server/teacher.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_upsample_bicubic2d_aa.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/random_key.h"
#include "model/encoder.h"
#include "model/mask_plan.h"
#include "model/parameters.h"
#include "model/testing/vit_spec.h"

namespace mimeo {
namespace {

constexpr int kImagePx = 32;
constexpr int kWidth = 16;
constexpr int kPatches = 16;
constexpr int kPx = 8;  // of a patch

FeatureWish Wish(int rows = 4, int cols = 4) {
  FeatureWish wish;
  wish.set_rows(rows), wish.set_cols(cols);
  return wish;
}

// The answer's floats after its first `skip` bytes.
at::Tensor FloatsOf(const std::string& answer, at::IntArrayRef shape, size_t skip = 0) {
  at::Tensor floats = at::empty(shape, at::kFloat);
  EXPECT_EQ(answer.size(), floats.nbytes() + skip);
  if (answer.size() == floats.nbytes() + skip) std::memcpy(floats.data_ptr(), answer.data() + skip, floats.nbytes());
  return floats;
}

at::Tensor IndicesOf(const std::string& answer, int num_images, int num_visible) {
  at::Tensor indices = at::empty({num_images, num_visible}, at::kInt);
  EXPECT_GE(answer.size(), indices.nbytes());
  if (answer.size() >= indices.nbytes()) std::memcpy(indices.data_ptr(), answer.data(), indices.nbytes());
  return indices.to(at::kLong);
}

void ExpectClose(const at::Tensor& got, const at::Tensor& expected) {
  ASSERT_EQ(got.sizes(), expected.sizes());
  EXPECT_TRUE(at::allclose(got, expected, 1e-5, 1e-5));
}

// A tiny random encoder, and the same one in a weights file.
class FrozenTeacherTest : public ::testing::Test {
 protected:
  void SetUp() override {
    *spec_.mutable_data() = testing::PlainData(kImagePx);
    *spec_.mutable_encoder()->mutable_vit() = testing::PlainVit(/*patch_px=*/8, kWidth, /*depth=*/2, /*heads=*/2);
    encoder_ = MakeEncoder(spec_.encoder(), {3, kImagePx, kImagePx}, &parameters_);
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

  FeatureTask Task(const at::Tensor& images, int num_chosen, std::vector<int32_t> indices,
                   const FeatureWish& wish = Wish()) const {
    FeatureTask task;
    task.wish = wish;
    task.num_images = static_cast<int>(images.size(0));
    task.num_chosen = num_chosen;
    task.channels = static_cast<int>(images.size(1));
    task.height_px = static_cast<int>(images.size(2));
    task.width_px = static_cast<int>(images.size(3));
    task.images.assign(static_cast<const char*>(images.const_data_ptr()), images.nbytes());
    task.indices = std::move(indices);
    return task;
  }
  FeatureTask Drawing(const at::Tensor& images, int num_visible, FeatureWish wish) const {
    wish.mutable_focused()->set_num_visible(num_visible);
    FeatureTask task = Task(images, num_visible, {}, wish);
    for (int b = 0; b < task.num_images; ++b) task.keys.push_back(RandomKey(9).Fold(b));
    return task;
  }

  // By the encoder itself, at all patches.
  Encoding Direct(const at::Tensor& images, const EncodeOptions& options) const {
    const at::NoGradGuard no_gradients;
    return encoder_->Encode(NormalizePixels(images, ImageNetStatistics()),
                            AllVisible(images.size(0), kPatches, at::kCPU), options);
  }
  at::Tensor Direct(const at::Tensor& images) const { return Direct(images, {}).visible_BKD; }

  // The same weights for images of any size, with a projection; counts how often they are read.
  GridEncoders::Loader Loader() {
    return [this](const LoadOptions& options) -> absl::StatusOr<LoadedEncoder> {
      ++loads_;
      if (options.height_px == 8 * kPx) return absl::NotFoundError("the file is gone");
      LoadedEncoder loaded;
      loaded.image = {3, options.height_px == 0 ? kImagePx : options.height_px,
                      options.width_px == 0 ? kImagePx : options.width_px};
      loaded.family = "mimeo";
      loaded.digest = digest_;
      loaded.statistics = ImageNetStatistics();
      loaded.notes = {"no norm epsilon is stated: 1e-6"};
      loaded.parameters = std::make_shared<Parameters>(7);
      loaded.encoder = MakeEncoder(spec_.encoder(), loaded.image, loaded.parameters.get());
      loaded.projection_DE = at::arange(kWidth * 3, at::kFloat).reshape({kWidth, 3}) / 20 - 1;
      return loaded;
    };
  }
  std::unique_ptr<FrozenTeacher> Teacher() {
    auto teacher = FrozenTeacher::Create("tiny", Loader());
    EXPECT_TRUE(teacher.ok()) << teacher.status();
    return *std::move(teacher);
  }

  int loads_ = 0;
  std::string digest_ = "d1";
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
  EXPECT_EQ(contract.image_height_px(), kImagePx);
  EXPECT_EQ(contract.image_width_px(), kImagePx);
  EXPECT_EQ(contract.patch_px(), kPx);
  EXPECT_EQ(contract.channels(), 3);
  EXPECT_EQ(contract.num_blocks(), 2);
  EXPECT_EQ(contract.block_width(), kWidth);
  EXPECT_EQ(contract.projected_width(), 0);
  EXPECT_TRUE(contract.has_class_token());
  EXPECT_FALSE(contract.family().empty());
  EXPECT_EQ(Teacher()->contract().projected_width(), 3);
  EXPECT_THAT(Teacher()->notes(), ::testing::ElementsAre("no norm epsilon is stated: 1e-6"));
  ASSERT_EQ(contract.mean_size(), 3);
  EXPECT_FLOAT_EQ(contract.mean(0), 0.485f);
  EXPECT_FLOAT_EQ(contract.std(2), 0.225f);
  EXPECT_EQ(contract.precision(), PRECISION_FP32);
}

TEST_F(FrozenTeacherTest, Bfloat16ProductsGiveTheSameFeaturesRounded) {
  auto exact = FrozenTeacher::Load("tiny", path_),
       rounded = FrozenTeacher::Load("tiny", path_, at::kCPU, Products::kBFloat16);
  ASSERT_TRUE(exact.ok() && rounded.ok());
  const at::Tensor images = RandomImages(2, 1);
  const std::vector<FeatureTask> tasks = {Task(images, kPatches, {})};
  const at::Tensor expected = FloatsOf((*(*exact)->Compute(tasks))[0], {2, kPatches, kWidth});
  const at::Tensor got = FloatsOf((*(*rounded)->Compute(tasks))[0], {2, kPatches, kWidth});
  EXPECT_FALSE(at::equal(got, expected));
  EXPECT_EQ((*rounded)->contract().precision(), PRECISION_BF16) << "other features: another teacher";
  EXPECT_LT((got - expected).norm().item<float>(), 0.02 * expected.norm().item<float>());
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
    ASSERT_EQ((*features)[i].size(), sizeof(float) * task.num_images * task.num_chosen * kWidth);
    const at::Tensor got = at::from_blob((*features)[i].data(), {task.num_images, task.num_chosen, kWidth}, at::kFloat);
    const at::Tensor expected = Direct(images[i]);
    for (int b = 0; b < task.num_images; ++b) {
      for (int k = 0; k < task.num_chosen; ++k) {
        const int patch = task.indices.empty() ? k : task.indices[b * task.num_chosen + k];
        EXPECT_TRUE(at::allclose(got[b][k], expected[b][patch], 1e-5, 1e-5)) << i << " " << b << " " << k;
      }
    }
  }
}

TEST_F(FrozenTeacherTest, TapsABlockAsItLeavesIt) {
  const auto teacher = Teacher();
  const at::Tensor images = RandomImages(2, 1);
  EncodeOptions options;
  options.blocks = {1, 2};
  const Encoding direct = Direct(images, options);
  for (const int layer : {1, 2}) {
    FeatureWish wish = Wish();
    wish.set_layer(layer);
    const auto patches = teacher->Compute({Task(images, 2, {3, 7, 0, 15}, wish)});
    ASSERT_TRUE(patches.ok()) << patches.status();
    const at::Tensor block_BND = direct.blocks_BND.at(layer);
    const at::Tensor index = at::tensor({3, 7, 0, 15}, at::kLong).reshape({2, 2});
    ExpectClose(FloatsOf(patches->front(), {2, 2, kWidth}), TakePatches(block_BND.slice(1, 1), index));
    wish.set_class_token(true);
    const auto with_class = teacher->Compute({Task(images, kPatches, {}, wish)});
    ASSERT_TRUE(with_class.ok()) << with_class.status();
    ExpectClose(FloatsOf(with_class->front(), {2, 1 + kPatches, kWidth}), block_BND);
  }
}

TEST_F(FrozenTeacherTest, TheClassTokenComesFirstAndProjectionsAreOfTheLastTokens) {
  const auto teacher = Teacher();
  const at::Tensor images = RandomImages(2, 1);
  const Encoding direct = Direct(images, {});
  const at::Tensor all = at::cat({direct.class_BD.unsqueeze(1), direct.visible_BKD}, 1);
  const at::Tensor rows = at::tensor({0, 4, 8, 0, 1, 16}, at::kLong).reshape({2, 3});
  FeatureWish wish = Wish();
  wish.set_class_token(true);
  const auto tokens = teacher->Compute({Task(images, 2, {3, 7, 0, 15}, wish)});
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  ExpectClose(FloatsOf(tokens->front(), {2, 3, kWidth}), TakePatches(all, rows));
  const at::Tensor projection = Loader()({})->projection_DE;
  wish.set_projected(true);
  const auto projected = teacher->Compute({Task(images, 2, {3, 7, 0, 15}, wish)});
  ASSERT_TRUE(projected.ok()) << projected.status();
  ExpectClose(FloatsOf(projected->front(), {2, 3, 3}), at::matmul(TakePatches(all, rows), projection));
}

TEST_F(FrozenTeacherTest, DrawsByTheClassTokensAttentionWithTheKeysThatCame) {
  const auto teacher = Teacher();
  const at::Tensor images = RandomImages(5, 1);
  EncodeOptions options;
  options.class_attention = true;
  const Encoding direct = Direct(images, options);
  const at::Tensor all = at::cat({direct.class_BD.unsqueeze(1), direct.visible_BKD}, 1);
  for (const bool most_attended : {false, true}) {
    FeatureWish wish = Wish();
    wish.mutable_focused()->set_most_attended(most_attended), wish.set_class_token(true);
    // Two requests in one pass: the second draws by its own rows.
    const std::vector<FeatureTask> tasks = {Drawing(images.slice(0, 0, 2).clone(), 6, wish),
                                            Drawing(images.slice(0, 2).clone(), 6, wish)};
    const auto answers = teacher->Compute(tasks);
    ASSERT_TRUE(answers.ok()) << answers.status();
    for (int64_t i = 0, first = 0; i < 2; first += tasks[i].num_images, ++i) {
      const int num_images = tasks[i].num_images, num_visible = tasks[i].num_chosen;
      const at::Tensor attention = direct.class_attention_BK.narrow(0, first, num_images);
      const at::Tensor expected = FocusedMaskPlan(tasks[i].keys, attention, num_visible, most_attended).visible_BK;
      EXPECT_TRUE(at::equal(IndicesOf((*answers)[i], num_images, num_visible), expected));
      const at::Tensor rows = at::cat({at::zeros({num_images, 1}, at::kLong), expected + 1}, 1);
      ExpectClose(
          FloatsOf((*answers)[i], {num_images, 1 + num_visible, kWidth}, sizeof(int32_t) * num_images * num_visible),
          TakePatches(all.narrow(0, first, num_images), rows));
    }
  }
  FeatureWish wish = Wish();
  wish.set_no_features(true);
  const FeatureTask only_indices = Drawing(images, 4, wish);
  const auto answer = teacher->Compute({only_indices});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->front().size(), sizeof(int32_t) * 5 * 4);
  EXPECT_TRUE(at::equal(IndicesOf(answer->front(), 5, 4),
                        FocusedMaskPlan(only_indices.keys, direct.class_attention_BK, 4, false).visible_BK));
}

TEST_F(FrozenTeacherTest, OtherImagesAreResizedToItsOwnGrid) {
  const auto teacher = Teacher();
  const at::Tensor large = RandomImages(2, 1).repeat({1, 1, 2, 3});  // 64 x 96
  const at::Tensor own = RandomImages(1, 2);
  const auto answers = teacher->Compute({Task(large, kPatches, {}), Task(own, kPatches, {})});
  ASSERT_TRUE(answers.ok()) << answers.status();
  const at::Tensor resized =
      at::_upsample_bicubic2d_aa(large, {kImagePx, kImagePx}, /*align_corners=*/false).contiguous();
  ExpectClose(FloatsOf((*answers)[0], {2, kPatches, kWidth}), Direct(resized));
  ExpectClose(FloatsOf((*answers)[1], {1, kPatches, kWidth}), Direct(own));
  EXPECT_EQ(loads_, 1);
}

TEST_F(FrozenTeacherTest, OneChannelIsRepeated) {
  const auto teacher = Teacher();
  for (const int64_t scale : {1, 2}) {
    const at::Tensor grey = RandomImages(2, 1).slice(1, 1, 2).repeat({1, 1, scale, scale}).contiguous();
    const at::Tensor repeated = grey.expand({-1, 3, -1, -1}).contiguous();
    const auto answers = teacher->Compute({Task(grey, kPatches, {}), Task(repeated, kPatches, {})});
    ASSERT_TRUE(answers.ok()) << answers.status();
    ExpectClose(FloatsOf((*answers)[0], {2, kPatches, kWidth}), FloatsOf((*answers)[1], {2, kPatches, kWidth}));
  }
}

TEST_F(FrozenTeacherTest, ServesOtherGridsThanItsOwn) {
  const auto teacher = Teacher();
  const at::Tensor images = RandomImages(2, 1);
  FeatureWish wish = Wish(3, 6);
  const auto answer = teacher->Compute({Task(images, 18, {}, wish)});
  ASSERT_TRUE(answer.ok()) << answer.status();
  const LoadedEncoder other = Loader()({3 * kPx, 6 * kPx}).value();
  const at::NoGradGuard no_gradients;
  const at::Tensor resized =
      at::_upsample_bicubic2d_aa(images, {3 * kPx, 6 * kPx}, /*align_corners=*/false).contiguous();
  const at::Tensor expected =
      other.encoder->Encode(NormalizePixels(resized, ImageNetStatistics()), AllVisible(2, 18, at::kCPU)).visible_BKD;
  ExpectClose(FloatsOf(answer->front(), {2, 18, kWidth}), expected);
}

TEST_F(FrozenTeacherTest, ReadsTheWeightsFileAgainForAnotherGrid) {
  auto teacher = FrozenTeacher::Load("tiny", path_);
  ASSERT_TRUE(teacher.ok()) << teacher.status();
  const at::Tensor images = RandomImages(2, 1).slice(2, 0, 16).slice(3, 0, 16).contiguous();  // nothing to resize
  const auto answer = (*teacher)->Compute({Task(images, 4, {}, Wish(2, 2))});
  ASSERT_TRUE(answer.ok()) << answer.status();
  const LoadedEncoder other = LoadEncoder(path_, {2 * kPx, 2 * kPx}).value();
  const at::NoGradGuard no_gradients;
  const at::Tensor expected =
      other.encoder->Encode(NormalizePixels(images, ImageNetStatistics()), AllVisible(2, 4, at::kCPU)).visible_BKD;
  ExpectClose(FloatsOf(answer->front(), {2, 4, kWidth}), expected);
}

TEST_F(FrozenTeacherTest, KeepsTheGridsThatWereUsedLast) {
  const auto teacher = Teacher();
  const at::Tensor images = RandomImages(1, 1);
  const auto ask = [&](int rows) { return teacher->Compute({Task(images, 1, {0}, Wish(rows, 2))}).status(); };
  for (const int rows : {1, 2, 3, 4}) ASSERT_TRUE(ask(rows).ok());
  EXPECT_EQ(loads_, 1 + limits::kTeacherGrids);
  ASSERT_TRUE(ask(1).ok());
  EXPECT_EQ(loads_, 1 + limits::kTeacherGrids);
  ASSERT_TRUE(ask(5).ok());  // in place of 2, which was unused for longest
  ASSERT_TRUE(ask(1).ok());
  EXPECT_EQ(loads_, 2 + limits::kTeacherGrids);
  ASSERT_TRUE(ask(2).ok());
  EXPECT_EQ(loads_, 3 + limits::kTeacherGrids);
}

TEST_F(FrozenTeacherTest, AGridThatCannotBeServedFailsItsRequestOnly) {
  const auto teacher = Teacher();
  const at::Tensor images = RandomImages(1, 1);
  const absl::Status gone = teacher->Compute({Task(images, 1, {0}, Wish(8, 2))}).status();
  EXPECT_EQ(gone.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(gone.message()),
              ::testing::HasSubstr("no encoder for a grid of 8x2 patches: the file is gone"));
  digest_ = "d2";
  const absl::Status other = teacher->Compute({Task(images, 1, {0}, Wish(2, 2))}).status();
  EXPECT_EQ(other.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(other.message()),
              ::testing::HasSubstr("the weights file was d1 when the teacher started, now it is d2"));
  EXPECT_TRUE(teacher->Compute({Task(images, 1, {0})}).ok());
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
