// The real teacher_server binary, with a real encoder, as a rank sees it: what it serves, how it is stopped, that it
// may die.
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_upsample_bicubic2d_aa.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/process.h"
#include "base/random_key.h"
#include "base/subprocess.h"
#include "model/encoder.h"
#include "model/mask_plan.h"
#include "model/parameters.h"
#include "model/patches.h"
#include "model/testing/vit_spec.h"
#include "model/weights.h"
#include "teacher/teacher_client.h"
#include "teacher/teacher_pins.h"

namespace mimeo {
namespace {

using ::testing::HasSubstr;

constexpr int kImagePx = 32;
constexpr int kPatchPx = 8;
constexpr int kPatches = 16;

absl::Time Soon() { return Clock::Real()->Now() + absl::Seconds(60); }

class TeacherProcessTest : public ::testing::Test {
 protected:
  void SetUp() override {
    JobSpec spec;
    *spec.mutable_data() = testing::PlainData(kImagePx);
    *spec.mutable_encoder()->mutable_vit() = testing::PlainVit(kPatchPx, /*width=*/16, /*depth=*/2, /*heads=*/2);
    encoder_ = MakeEncoder(spec.encoder(), {3, kImagePx, kImagePx}, &parameters_);
    NamedTensors tensors;
    for (const auto& [name, tensor] : parameters_.all()) tensors[name] = tensor.detach();
    ASSERT_TRUE(ExportSafetensors(tensors, spec, JoinPath(dir_.path(), "model.safetensors")).ok());
  }

  std::unique_ptr<Subprocess> Start(const std::vector<std::string>& more_flags) {
    const auto binary = FindBinary("teacher_server");
    EXPECT_TRUE(binary.ok()) << binary.status();
    Subprocess::Options options;
    options.argv = {*binary, "--threads=1"};
    if (std::none_of(more_flags.begin(), more_flags.end(),
                     [](const std::string& flag) { return flag.rfind("--name=", 0) == 0; })) {
      options.argv.emplace_back("--name=tiny");
    }
    options.argv.insert(options.argv.end(), more_flags.begin(), more_flags.end());
    options.output_path = log_;
    auto process = Subprocess::Start(options);
    EXPECT_TRUE(process.ok()) << process.status();
    return *std::move(process);
  }
  // Starts it on `dir_`'s weights and sets address_.
  std::unique_ptr<Subprocess> StartServing() {
    const std::string announcement = JoinPath(dir_.path(), absl::StrCat("announced", num_starts_++));
    auto process = Start(
        {absl::StrCat("--weights=", dir_.path()), "--listen=127.0.0.1:0", absl::StrCat("--announce=", announcement)});
    const auto announced = ReadAnnouncement(announcement);
    EXPECT_TRUE(announced.ok()) << announced.status() << ReadFile(log_).value_or("");
    EXPECT_EQ(announced->count("metrics_address"), 1u);
    absl::MutexLock lock(&mu_);
    address_ = announced->at("address");
    return process;
  }

  TeacherClientOptions Options() {
    TeacherClientOptions options;
    options.request.teacher = "tiny";
    options.request.objectives = {"mimic"};
    options.pins = &pins_;
    options.address = [this] {
      absl::MutexLock lock(&mu_);
      return address_;
    };
    options.on_waiting = [this](bool waiting) {
      absl::MutexLock lock(&mu_);
      waited_ = waited_ || waiting;
    };
    options.request.image = {3, kImagePx, kImagePx};
    options.request.wish.set_rows(kImagePx / kPatchPx), options.request.wish.set_cols(kImagePx / kPatchPx);
    return options;
  }

  // Random images, K = 5 random patches of each.
  void MakeBatch(int num_images, int seed) {
    at::Tensor images = at::empty({num_images, 3, kImagePx, kImagePx}, at::kByte);
    const RandomKey key(seed);
    for (int64_t i = 0; i < images.numel(); ++i) images.data_ptr<uint8_t>()[i] = key.Below(256, i);
    std::vector<RandomKey> keys;
    for (int b = 0; b < num_images; ++b) keys.push_back(key.Fold(b));
    batch_.views_BCHW = {images};
    views_.assign(1, ViewInput());
    views_[0].plan = RandomMaskPlan(keys, kPatches, 5);
  }
  void ExpectEncodersTokens() {
    const at::Tensor& images = batch_.views_BCHW[0];
    const at::Tensor all_BLT =
        encoder_->Encode(NormalizePixels(images, ImageNetStatistics()), AllVisible(images.size(0), kPatches, at::kCPU))
            .visible_BKD.detach();
    const at::Tensor expected = TakePatches(all_BLT, views_[0].plan.visible_BK);
    ASSERT_EQ(views_[0].teacher_BNT["mimic"].sizes(), expected.sizes());
    EXPECT_TRUE(at::allclose(views_[0].teacher_BNT["mimic"], expected, 1e-5, 1e-5));
  }

  TempDir dir_;
  const std::string log_ = JoinPath(dir_.path(), "log");
  int num_starts_ = 0;
  Parameters parameters_{3};
  std::unique_ptr<Encoder> encoder_;
  Batch batch_;
  std::vector<ViewInput> views_;
  absl::Mutex mu_;
  std::string address_ ABSL_GUARDED_BY(mu_);
  bool waited_ ABSL_GUARDED_BY(mu_) = false;
  TeacherPins pins_{[] { return std::vector<TeacherContract>(); }, [](const TeacherContract&) {}};
};

TEST_F(TeacherProcessTest, ServesItsEncodersTokensAndSurvivesBeingKilled) {
  auto process = StartServing();
  auto source = ConnectTeacher(Options(), Soon());
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_EQ((*source)->width(), 16);
  MakeBatch(130, 1);  // three requests
  absl::Status attached = (*source)->Attach(batch_, Soon(), &views_);
  ASSERT_TRUE(attached.ok()) << attached;
  ExpectEncodersTokens();

  process->Signal(SIGKILL);
  ASSERT_TRUE(process->Wait(Soon()).ok());
  MakeBatch(4, 2);
  std::thread attach([&] { attached = (*source)->Attach(batch_, Soon(), &views_); });
  {
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(&waited_));
  }
  process = StartServing();
  attach.join();
  ASSERT_TRUE(attached.ok()) << attached;
  ExpectEncodersTokens();

  // With the rank's stream still open.
  process->Signal(SIGTERM);
  const auto exit = process->Wait(Soon());
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_TRUE(exit->ok()) << exit->ToString() << ReadFile(log_).value_or("");
}

TEST_F(TeacherProcessTest, DrawsMasksAndTapsABlockForLargerCrops) {
  auto process = StartServing();
  TeacherClientOptions options = Options();
  options.request.wish.set_layer(1), options.request.wish.set_class_token(true);
  options.request.wish.mutable_focused()->set_num_visible(5);
  options.request.image = {3, 2 * kImagePx, 2 * kImagePx};  // the same grid, of larger patches
  options.mask_key = [](const RandomKey& row, int view) { return row.Fold("mask").Fold(view); };
  auto source = ConnectTeacher(options, Soon());
  ASSERT_TRUE(source.ok()) << source.status();
  MakeBatch(6, 3);
  batch_.views_BCHW[0] = batch_.views_BCHW[0].repeat({1, 1, 2, 2});
  views_[0].images_BCHW = batch_.views_BCHW[0];
  views_[0].plan = MaskPlan();
  std::vector<RandomKey> keys;
  for (int b = 0; b < 6; ++b) {
    batch_.keys.push_back(RandomKey(b));
    keys.push_back(RandomKey(b).Fold("mask").Fold(0));
  }
  const absl::Status attached = (*source)->Attach(batch_, Soon(), &views_);
  ASSERT_TRUE(attached.ok()) << attached;

  EncodeOptions wanted;
  wanted.blocks = {1}, wanted.class_attention = true;
  const at::Tensor resized =
      at::_upsample_bicubic2d_aa(batch_.views_BCHW[0], {kImagePx, kImagePx}, /*align_corners=*/false).contiguous();
  const at::NoGradGuard no_gradients;
  const Encoding direct =
      encoder_->Encode(NormalizePixels(resized, ImageNetStatistics()), AllVisible(6, kPatches, at::kCPU), wanted);
  const MaskPlan plan = FocusedMaskPlan(keys, direct.class_attention_BK, 5, false);
  EXPECT_TRUE(at::equal(views_[0].plan.visible_BK, plan.visible_BK));
  EXPECT_TRUE(at::equal(views_[0].plan.hidden_BM, plan.hidden_BM));
  const at::Tensor rows = at::cat({at::zeros({6, 1}, at::kLong), plan.visible_BK + 1}, 1);
  EXPECT_TRUE(at::allclose(views_[0].teacher_BNT["mimic"], TakePatches(direct.blocks_BND.at(1), rows), 1e-5, 1e-5));
  EXPECT_THAT(ReadFile(log_).value_or(""),
              HasSubstr("image=3x32x32 patch_px=8 width=16 projected_width=0 blocks=2 block_width=16 "
                        "class_token=true"));
}

TEST_F(TeacherProcessTest, WrongFlagsAreAllNamedAndExitWith2) {
  auto process = Start({"--weights=/nowhere", "--max_batch_images=0", "--metrics_listen=here", "--listen=0.0.0.0:0",
                        "--coordinator=127.0.0.1:1"});
  const auto exit = process->Wait(Soon());
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_EQ(exit->code, 2);
  const std::string log = ReadFile(log_).value_or("");
  EXPECT_THAT(log, HasSubstr("--max_batch_images is 0, must be positive"));
  EXPECT_THAT(log, HasSubstr("--metrics_listen is \"here\", must be HOST:PORT"));
  EXPECT_THAT(log, HasSubstr("--advertise is needed: ranks cannot connect to --listen 0.0.0.0:0"));
}

TEST_F(TeacherProcessTest, ANameThatIsNoTextIsRefused) {
  auto process = Start({absl::StrCat("--weights=", dir_.path()), "--listen=127.0.0.1:0", "--name=caf\xe9\x1b[2J"});
  const auto exit = process->Wait(Soon());
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_EQ(exit->code, 2);
  EXPECT_THAT(ReadFile(log_).value_or(""), HasSubstr("must be UTF-8 without control characters"));
}

}  // namespace
}  // namespace mimeo
