// A teacher that labels what it is asked for, and a rank's client of it: its features tell image, patch, channel and
// layer, and the masks that it draws follow from a known attention.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "base/metrics_server.h"
#include "base/random_key.h"
#include "model/mask_plan.h"
#include "objective/mimic.h"
#include "teacher/feature_wish.h"
#include "teacher/teacher_client.h"
#include "teacher/teacher_pins.h"
#include "teacher_server/serving.h"

namespace mimeo::testing {

inline constexpr int kImagePx = 8;
inline constexpr int kPatchPx = 4;  // L = 4
inline constexpr int kWidth = 3;
inline constexpr int kProjectedWidth = 2;

inline TeacherContract Contract(const std::string& digest, int max_images = 4) {
  TeacherContract contract;
  contract.set_name("tiny");
  contract.set_weights_digest(digest);
  contract.set_family("mimeo");
  contract.set_feature_width(kWidth);
  contract.set_image_height_px(kImagePx);
  contract.set_image_width_px(kImagePx);
  contract.set_patch_px(kPatchPx);
  contract.set_channels(3);
  contract.set_projected_width(kProjectedWidth);
  contract.set_num_blocks(2);
  contract.set_block_width(kWidth);
  contract.set_has_class_token(true);
  contract.set_feature_type(TENSOR_TYPE_FLOAT32);
  contract.set_precision(PRECISION_FP32);
  SetServingLimits(max_images, &contract);
  return contract;
}

// Of the class token: patch -1.
inline float Feature(int image, int patch, int channel, int layer = 0) {
  return image + 1000 * patch + 0.25f * channel + 100000 * layer;
}

// The attention that the server draws by: patch l has l + 1 parts.
inline MaskPlan Draw(const std::vector<RandomKey>& keys, int num_patches, int num_visible, bool most_attended) {
  const at::Tensor parts =
      at::arange(1, num_patches + 1, at::kFloat).expand({static_cast<int64_t>(keys.size()), num_patches});
  return FocusedMaskPlan(keys, parts / parts.sum(1, true), num_visible, most_attended);
}

inline std::string Label(const FeatureTask& task) {
  std::vector<int32_t> indices = task.indices;
  if (task.wish.has_focused()) {
    const at::Tensor drawn =
        Draw(task.keys, NumPatches(task.wish), task.num_chosen, task.wish.focused().most_attended())
            .visible_BK.to(at::kInt);
    indices.assign(drawn.data_ptr<int32_t>(), drawn.data_ptr<int32_t>() + drawn.numel());
  } else if (indices.empty()) {
    for (int i = 0; i < task.num_images * task.num_chosen; ++i) indices.push_back(i % task.num_chosen);
  }
  std::vector<float> features;
  const int image_bytes = task.channels * task.height_px * task.width_px;
  for (int b = 0; b < task.num_images; ++b) {
    const int image = static_cast<unsigned char>(task.images[b * image_bytes]);
    for (int k = task.wish.class_token() ? -1 : 0; k < task.num_chosen; ++k) {
      const int patch = k < 0 ? -1 : indices[b * task.num_chosen + k];
      for (int t = 0; t < (task.wish.projected() ? kProjectedWidth : kWidth); ++t) {
        features.push_back(Feature(image, patch, t, task.wish.layer()));
      }
    }
  }
  std::string answer;
  if (task.wish.has_focused())
    answer.append(reinterpret_cast<const char*>(indices.data()), indices.size() * sizeof(int32_t));
  if (!task.wish.no_features()) {
    answer.append(reinterpret_cast<const char*>(features.data()), features.size() * sizeof(float));
  }
  return answer;
}

inline std::vector<std::string> Label(absl::Span<const FeatureTask> tasks) {
  std::vector<std::string> all;
  for (const FeatureTask& task : tasks) all.push_back(Label(task));
  return all;
}

// A server on a port of its own, or where an earlier one was.
class TinyTeacher {
 public:
  explicit TinyTeacher(const TeacherContract& contract, Batcher::Compute compute = nullptr,
                       const std::string& listen = "127.0.0.1:0") {
    const auto count_and_label =
        [this](absl::Span<const FeatureTask> tasks) -> absl::StatusOr<std::vector<std::string>> {
      for (const FeatureTask& task : tasks) images_ += task.num_images;
      return Label(tasks);
    };
    ServingTeacher::Options options;
    options.listen = listen;
    auto server =
        ServingTeacher::Start(options, contract, compute ? compute : count_and_label, &metrics_, Clock::Real());
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  std::string address() const { return absl::StrCat("127.0.0.1:", server_->port()); }
  int images() const { return images_; }

 private:
  std::atomic<int> images_{0};
  Metrics metrics_{MetricOwner::kTeacher};
  std::unique_ptr<ServingTeacher> server_;
};

// `address_` is where the client looks for its teacher; `waits_` is what it was told; `pinned_` is what the job has
// pinned, and `taken_` what it heard of.
class TeacherClientFixture : public ::testing::Test {
 protected:
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
      waits_.push_back(waiting);
    };
    SetCrops({3, kImagePx, kImagePx}, &options);
    return options;
  }
  // Of a job whose masks the teacher draws, K = 2.
  TeacherClientOptions DrawingOptions() {
    TeacherClientOptions options = Options();
    options.request.wish.mutable_focused()->set_num_visible(2);
    options.mask_key = [](const RandomKey& row, int view) { return row.Fold("mask").Fold(view); };
    return options;
  }
  static void SetCrops(const ImageShape& image, TeacherClientOptions* options) {
    options->request.image = image;
    const PatchGrid grid = GridOf(image, kPatchPx);
    options->request.wish.set_rows(grid.rows), options->request.wish.set_cols(grid.cols);
  }
  // Nobody mimics: only masks are wanted.
  static void WantNoFeatures(TeacherClientOptions* options) {
    options->request.objectives.clear();
    options->request.wish.set_no_features(true);
  }
  void SetAddress(const std::string& address) {
    absl::MutexLock lock(&mu_);
    address_ = address;
  }
  std::vector<bool> waits() {
    absl::MutexLock lock(&mu_);
    return waits_;
  }
  void WaitForWaits(size_t count) {
    absl::MutexLock lock(&mu_);
    const auto there = [&] { return waits_.size() >= count; };
    mu_.Await(absl::Condition(&there));
  }
  void Pin(const TeacherContract& contract) {
    absl::MutexLock lock(&mu_);
    pinned_.push_back(contract);
  }
  std::vector<std::string> digests_taken() {
    absl::MutexLock lock(&mu_);
    std::vector<std::string> digests;
    for (const TeacherContract& contract : taken_) digests.push_back(contract.weights_digest());
    return digests;
  }
  absl::Time Soon() const { return Clock::Real()->Now() + absl::Seconds(30); }

  std::unique_ptr<FeatureSource> Connect() { return Connect(Options()); }
  std::unique_ptr<FeatureSource> Connect(const TeacherClientOptions& options) {
    auto source = ConnectTeacher(options, Soon());
    EXPECT_TRUE(source.ok()) << source.status();
    EXPECT_FALSE(waits().empty() || waits().back());
    absl::MutexLock lock(&mu_);
    waits_.clear();
    return source.ok() ? *std::move(source) : nullptr;
  }

  absl::Mutex mu_;
  std::string address_ ABSL_GUARDED_BY(mu_);
  std::vector<bool> waits_ ABSL_GUARDED_BY(mu_);
  std::vector<TeacherContract> pinned_ ABSL_GUARDED_BY(mu_), taken_ ABSL_GUARDED_BY(mu_);
  TeacherPins pins_{[this] {
                      absl::MutexLock lock(&mu_);
                      return pinned_;
                    },
                    [this](const TeacherContract& contract) {
                      absl::MutexLock lock(&mu_);
                      taken_.push_back(contract);
                    }};
};

// `num_views` views of B images, each filled with its number; patch (image + view + k) % 4 is the k-th visible one, and
// those after them are hidden.
struct Sent {
  Batch batch;
  std::vector<ViewInput> views;
};

inline Sent MakeBatch(int num_images, int num_visible, int num_views) {
  Sent sent;
  for (int v = 0; v < num_views; ++v) {
    at::Tensor images = at::empty({num_images, 3, kImagePx, kImagePx}, at::kByte);
    at::Tensor visible = at::empty({num_images, num_visible}, at::kLong),
               hidden = at::empty({num_images, 4 - num_visible}, at::kLong);
    for (int b = 0; b < num_images; ++b) {
      images[b].fill_(10 * v + b);
      for (int k = 0; k < num_visible; ++k) visible[b][k] = (b + v + k) % 4;
      for (int m = num_visible; m < 4; ++m) hidden[b][m - num_visible] = (b + v + m) % 4;
    }
    sent.batch.views_BCHW.push_back(images);
    sent.views.emplace_back();
    sent.views.back().images_BCHW = images;  // says which device
    sent.views.back().plan = {visible, hidden};
    sent.views.back().view = v;
  }
  for (int b = 0; b < num_images; ++b) sent.batch.keys.push_back(RandomKey(40 + b));
  return sent;
}

// The features of every input, at the patches that the request wants of its plan.
inline void ExpectFeatures(const Sent& sent, const TeacherRequest& request) {
  for (size_t i = 0; i < sent.views.size(); ++i) {
    const ViewInput& view = sent.views[i];
    const at::Tensor wanted = MimickedPatches(view.plan, request.tokens);
    const int first = request.wish.class_token() ? -1 : 0;
    const int64_t width = request.wish.projected() ? kProjectedWidth : kWidth;
    ASSERT_EQ(view.teacher_BNT.size(), request.objectives.size());
    for (const std::string& objective : request.objectives) {
      const auto found = view.teacher_BNT.find(objective);
      ASSERT_NE(found, view.teacher_BNT.end());
      const at::Tensor& features = found->second;
      ASSERT_EQ(features.sizes(), at::IntArrayRef({wanted.size(0), wanted.size(1) - first, width}));
      ASSERT_EQ(features.scalar_type(), at::kFloat);
      for (int64_t b = 0; b < wanted.size(0); ++b) {
        for (int64_t k = first; k < wanted.size(1); ++k) {
          const int patch = k < 0 ? -1 : wanted[b][k].item<int>();
          for (int t = 0; t < width; ++t) {
            ASSERT_EQ(features[b][k - first][t].item<float>(),
                      Feature(10 * view.view + b, patch, t, request.wish.layer()))
                << i << " " << b << " " << k;
          }
        }
      }
    }
  }
}

inline void ExpectFeatures(const Sent& sent) {
  TeacherRequest request;
  request.objectives = {"mimic"};
  ExpectFeatures(sent, request);
}

inline void ExpectDrawn(const Sent& sent, int num_patches, bool most_attended) {
  for (const ViewInput& view : sent.views) {
    std::vector<RandomKey> keys;
    for (const RandomKey& row : sent.batch.keys) keys.push_back(row.Fold("mask").Fold(view.view));
    const MaskPlan expected = Draw(keys, num_patches, 2, most_attended);
    EXPECT_TRUE(at::equal(view.plan.visible_BK, expected.visible_BK));
    EXPECT_TRUE(at::equal(view.plan.hidden_BM, expected.hidden_BM));
  }
}

}  // namespace mimeo::testing
