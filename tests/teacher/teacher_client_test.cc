// A rank's teacher client against real servers over loopback; the features tell image, patch and channel.
#include <ATen/ops/empty.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/metrics_server.h"
#include "base/rpc/rpc.h"
#include "proto/teacher.grpc.pb.h"
#include "teacher_server/serving.h"
#include "worker/feature_source.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int kImagePx = 8;
constexpr int kPatchPx = 4;  // L = 4
constexpr int kWidth = 3;
constexpr int kImageBytes = 3 * kImagePx * kImagePx;

TeacherContract Contract(const std::string& digest, int max_images = 4) {
  TeacherContract contract;
  contract.set_name("tiny");
  contract.set_weights_digest(digest);
  contract.set_family("mimeo");
  contract.set_feature_width(kWidth);
  contract.set_image_px(kImagePx);
  contract.set_patch_px(kPatchPx);
  contract.set_feature_type(TENSOR_TYPE_FLOAT32);
  SetServingLimits(max_images, &contract);
  return contract;
}

float Feature(int image, int patch, int channel) { return image + 1000 * patch + 0.25f * channel; }

std::vector<std::string> Label(absl::Span<const FeatureTask> tasks) {
  std::vector<std::string> all;
  for (const FeatureTask& task : tasks) {
    std::vector<float> features;
    for (int i = 0; i < task.num_images * task.num_visible; ++i) {
      const int image = static_cast<unsigned char>(task.images[i / task.num_visible * kImageBytes]);
      for (int t = 0; t < kWidth; ++t) features.push_back(Feature(image, task.indices[i], t));
    }
    all.emplace_back(reinterpret_cast<const char*>(features.data()), features.size() * sizeof(float));
  }
  return all;
}

// A server on a port of its own.
class TinyTeacher {
 public:
  explicit TinyTeacher(const TeacherContract& contract, Batcher::Compute compute = nullptr) {
    const auto count_and_label =
        [this](absl::Span<const FeatureTask> tasks) -> absl::StatusOr<std::vector<std::string>> {
      for (const FeatureTask& task : tasks) images_ += task.num_images;
      return Label(tasks);
    };
    auto server = ServingTeacher::Start({}, contract, compute ? compute : count_and_label, &metrics_, Clock::Real());
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

class TeacherClientTest : public ::testing::Test {
 protected:
  TeacherClientOptions Options() {
    TeacherClientOptions options;
    options.name = "tiny";
    options.address = [this] {
      absl::MutexLock lock(&mu_);
      return address_;
    };
    options.on_waiting = [this](bool waiting) {
      absl::MutexLock lock(&mu_);
      waits_.push_back(waiting);
    };
    options.image_px = kImagePx;
    options.patch_px = kPatchPx;
    return options;
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
  absl::Time Soon() const { return Clock::Real()->Now() + absl::Seconds(30); }

  std::unique_ptr<FeatureSource> Connect() {
    auto source = ConnectTeacher(Options(), Soon());
    EXPECT_TRUE(source.ok()) << source.status();
    EXPECT_FALSE(waits().empty() || waits().back());
    absl::MutexLock lock(&mu_);
    waits_.clear();
    return source.ok() ? *std::move(source) : nullptr;
  }

  absl::Mutex mu_;
  std::string address_ ABSL_GUARDED_BY(mu_);
  std::vector<bool> waits_ ABSL_GUARDED_BY(mu_);
};

// `num_views` views of B images, each filled with its number; patch (image + view + k) % 4 is the k-th visible one.
struct Sent {
  Batch batch;
  std::vector<ViewInput> views;
};

Sent MakeBatch(int num_images, int num_visible, int num_views) {
  Sent sent;
  for (int v = 0; v < num_views; ++v) {
    at::Tensor images = at::empty({num_images, 3, kImagePx, kImagePx}, at::kByte);
    at::Tensor visible = at::empty({num_images, num_visible}, at::kLong);
    for (int b = 0; b < num_images; ++b) {
      images[b].fill_(10 * v + b);
      for (int k = 0; k < num_visible; ++k) visible[b][k] = (b + v + k) % 4;
    }
    sent.batch.views_BCHW.push_back(images);
    sent.views.emplace_back();
    sent.views.back().plan.visible_BK = visible;
  }
  return sent;
}

void ExpectFeatures(const Sent& sent) {
  for (size_t v = 0; v < sent.views.size(); ++v) {
    const auto found = sent.views[v].teacher_BKT.find("tiny");
    ASSERT_NE(found, sent.views[v].teacher_BKT.end());
    const at::Tensor& visible = sent.views[v].plan.visible_BK;
    const at::Tensor& features = found->second;
    ASSERT_EQ(features.sizes(), at::IntArrayRef({visible.size(0), visible.size(1), kWidth}));
    ASSERT_EQ(features.scalar_type(), at::kFloat);
    for (int64_t b = 0; b < visible.size(0); ++b) {
      for (int64_t k = 0; k < visible.size(1); ++k) {
        const int patch = visible[b][k].item<int>();
        for (int t = 0; t < kWidth; ++t) {
          ASSERT_EQ(features[b][k][t].item<float>(), Feature(10 * v + b, patch, t)) << v << " " << b << " " << k;
        }
      }
    }
  }
}

TEST_F(TeacherClientTest, AttachesTheFeaturesOfEveryViewInRequestsThatTheTeacherTakes) {
  for (const int max_images : {1, 2, 3, 64}) {  // 7 images a view: 7, 4, 3 and 1 requests
    TinyTeacher teacher(Contract("a", max_images));
    SetAddress(teacher.address());
    const auto source = Connect();
    ASSERT_NE(source, nullptr);
    EXPECT_EQ(source->width(), kWidth);
    EXPECT_EQ(source->name(), "tiny");
    for (int round = 0; round < 3; ++round) {
      Sent sent = MakeBatch(7, 1 + round, 2);
      const absl::Status attached = source->Attach(sent.batch, Soon(), &sent.views);
      ASSERT_TRUE(attached.ok()) << attached;
      ExpectFeatures(sent);
    }
    EXPECT_EQ(teacher.images(), 3 * 14);
  }
  EXPECT_THAT(waits(), ::testing::Each(false));
}

TEST_F(TeacherClientTest, ATeacherThatDoesNotFitIsRefusedWithBothContracts) {
  TinyTeacher teacher(Contract("feed"));
  SetAddress(teacher.address());
  TeacherClientOptions options = Options();
  options.patch_px = 2;
  const absl::Status patch = ConnectTeacher(options, Soon()).status();
  EXPECT_EQ(patch.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(patch.message()), AllOf(HasSubstr("the job needs {name tiny, image_px 8, patch_px 2}"),
                                                  HasSubstr("weights feed (mimeo), image_px 8, patch_px 4")));
  options = Options();
  options.image_px = 16;
  EXPECT_EQ(ConnectTeacher(options, Soon()).status().code(), absl::StatusCode::kFailedPrecondition);
  options = Options();
  options.name = "clip";
  EXPECT_THAT(ConnectTeacher(options, Soon()).status().ToString(),
              AllOf(HasSubstr("name clip"), HasSubstr("name tiny")));
}

TEST_F(TeacherClientTest, WaitsForATeacherThatComesBackElsewhere) {
  auto teacher = std::make_unique<TinyTeacher>(Contract("a"));
  SetAddress(teacher->address());
  const auto source = Connect();
  ASSERT_NE(source, nullptr);
  Sent sent = MakeBatch(5, 2, 1);
  ASSERT_TRUE(source->Attach(sent.batch, Soon(), &sent.views).ok());

  teacher.reset();
  sent = MakeBatch(6, 2, 1);
  absl::Status attached;
  std::thread attach([&] { attached = source->Attach(sent.batch, Soon(), &sent.views); });
  WaitForWaits(1);
  EXPECT_EQ(waits(), std::vector<bool>({true}));
  TeacherContract again = Contract("a", 2);  // other limits are no other teacher
  teacher = std::make_unique<TinyTeacher>(again);
  SetAddress(teacher->address());
  attach.join();
  ASSERT_TRUE(attached.ok()) << attached;
  ExpectFeatures(sent);
  EXPECT_EQ(waits(), std::vector<bool>({true, false}));
}

TEST_F(TeacherClientTest, WaitsForATeacherThatIsNotThereYetAndSaysSoEachTime) {
  absl::StatusOr<std::unique_ptr<FeatureSource>> source;
  std::thread connect([&] { source = ConnectTeacher(Options(), Soon()); });
  WaitForWaits(1);
  auto teacher = std::make_unique<TinyTeacher>(Contract("a"));
  SetAddress(teacher->address());
  connect.join();
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_EQ(waits(), std::vector<bool>({true, false}));
  teacher.reset();
  Sent sent = MakeBatch(1, 1, 1);
  const absl::Time deadline = Clock::Real()->Now() + absl::Milliseconds(50);
  EXPECT_EQ((*source)->Attach(sent.batch, deadline, &sent.views).code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(waits(), std::vector<bool>({true, false, true}));
}

TEST_F(TeacherClientTest, WhatWasAnsweredIsNotAskedAgain) {
  absl::Mutex mu;
  int answered = 0;
  bool open = false;
  // Answers two requests, then is stuck.
  auto stuck = std::make_unique<TinyTeacher>(Contract("a", 1), [&](absl::Span<const FeatureTask> tasks) {
    absl::MutexLock lock(&mu);
    if (answered == 2) mu.Await(absl::Condition(&open));
    ++answered;
    return absl::StatusOr<std::vector<std::string>>(Label(tasks));
  });
  SetAddress(stuck->address());
  const auto source = Connect();
  ASSERT_NE(source, nullptr);
  Sent sent = MakeBatch(5, 2, 1);
  absl::Status attached;
  std::thread attach([&] { attached = source->Attach(sent.batch, Soon(), &sent.views); });
  WaitForWaits(1);  // it does not answer, so the rank waits for it
  TinyTeacher second(Contract("a", 1));
  SetAddress(second.address());
  std::thread stop([&] { stuck.reset(); });
  attach.join();
  {
    absl::MutexLock lock(&mu);
    open = true;
  }
  stop.join();
  ASSERT_TRUE(attached.ok()) << attached;
  ExpectFeatures(sent);
  EXPECT_EQ(second.images(), 3);
}

TEST_F(TeacherClientTest, AnotherTeacherUnderTheSameNameIsRefused) {
  auto teacher = std::make_unique<TinyTeacher>(Contract("a1"));
  SetAddress(teacher->address());
  const auto source = Connect();
  ASSERT_NE(source, nullptr);
  teacher = std::make_unique<TinyTeacher>(Contract("b2"));
  SetAddress(teacher->address());
  Sent sent = MakeBatch(2, 2, 1);
  for (int attempt = 0; attempt < 2; ++attempt) {  // and it stays refused
    const absl::Status attached = source->Attach(sent.batch, Soon(), &sent.views);
    EXPECT_EQ(attached.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(attached.message()), AllOf(HasSubstr("weights a1"), HasSubstr("weights b2")));
  }
  EXPECT_TRUE(sent.views[0].teacher_BKT.empty());
}

TEST_F(TeacherClientTest, GivesUpAtTheDeadlineAndSaysWhere) {
  const absl::Time deadline = Clock::Real()->Now() + absl::Milliseconds(100);
  const absl::Status unknown = ConnectTeacher(Options(), deadline).status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("teacher tiny at no known address"));
  EXPECT_EQ(waits(), std::vector<bool>({true}));

  bool open = false;
  absl::Mutex mu;
  auto stuck = std::make_unique<TinyTeacher>(Contract("a"), [&](absl::Span<const FeatureTask> tasks) {
    absl::MutexLock lock(&mu);
    mu.Await(absl::Condition(&open));
    return absl::StatusOr<std::vector<std::string>>(Label(tasks));
  });
  SetAddress(stuck->address());
  const auto source = Connect();
  ASSERT_NE(source, nullptr);
  Sent sent = MakeBatch(2, 2, 1);
  const absl::Status late = source->Attach(sent.batch, Clock::Real()->Now() + absl::Milliseconds(100), &sent.views);
  EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(late.message()), HasSubstr(stuck->address()));
  {
    absl::MutexLock lock(&mu);
    open = true;
  }
  // The late answer to the old request is no answer to a new one.
  sent = MakeBatch(3, 1, 1);
  ASSERT_TRUE(source->Attach(sent.batch, Soon(), &sent.views).ok());
  ExpectFeatures(sent);
}

TEST_F(TeacherClientTest, ASlowTeacherIsAskedOnceHoweverOftenItIsWaitedFor) {
  absl::Mutex mu;
  bool open = false;
  int images = 0;
  TinyTeacher slow(Contract("a", 2), [&](absl::Span<const FeatureTask> tasks) {
    absl::MutexLock lock(&mu);
    mu.Await(absl::Condition(&open));
    for (const FeatureTask& task : tasks) images += task.num_images;
    return absl::StatusOr<std::vector<std::string>>(Label(tasks));
  });
  SetAddress(slow.address());
  const auto source = Connect();
  ASSERT_NE(source, nullptr);
  Sent sent = MakeBatch(5, 2, 2);
  for (int poll = 0; poll < 5; ++poll) {
    const absl::Time deadline = Clock::Real()->Now() + absl::Milliseconds(10);
    EXPECT_EQ(source->Attach(sent.batch, deadline, &sent.views).code(), absl::StatusCode::kDeadlineExceeded);
  }
  {
    absl::MutexLock lock(&mu);
    open = true;
  }
  ASSERT_TRUE(source->Attach(sent.batch, Soon(), &sent.views).ok());
  ExpectFeatures(sent);
  absl::MutexLock lock(&mu);
  EXPECT_EQ(images, 10);
}

TEST_F(TeacherClientTest, ABatchThatIsNotTheJobsIsRefused) {
  TinyTeacher teacher(Contract("a"));
  SetAddress(teacher.address());
  const auto source = Connect();
  ASSERT_NE(source, nullptr);
  Sent sent = MakeBatch(2, 2, 1);
  sent.batch.views_BCHW[0] = at::empty({2, 3, 16, 16}, at::kByte);
  const absl::Status attached = source->Attach(sent.batch, Soon(), &sent.views);
  EXPECT_EQ(attached.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(attached.message()), HasSubstr("2x3x16x16"));
}

// A peer that breaks the contract: every answer has two bytes.
class BrokenTeacher : public Teacher::Service {
 public:
  grpc::Status Describe(grpc::ServerContext*, const DescribeRequest*, TeacherContract* reply) override {
    *reply = Contract("a");
    return grpc::Status::OK;
  }
  grpc::Status StreamFeatures(grpc::ServerContext*,
                              grpc::ServerReaderWriter<FeatureReply, FeatureRequest>* stream) override {
    FeatureRequest request;
    while (stream->Read(&request)) {
      FeatureReply reply;
      reply.set_request_id(request.request_id());
      reply.set_total_bytes(2);
      reply.set_payload("ab");
      stream->Write(reply);
    }
    return grpc::Status::OK;
  }
};

TEST_F(TeacherClientTest, AnAnswerThatCannotBeIsAnErrorAtOnce) {
  BrokenTeacher broken;
  auto server = RpcServer::Start("127.0.0.1:0", {&broken});
  ASSERT_TRUE(server.ok()) << server.status();
  SetAddress(absl::StrCat("127.0.0.1:", (*server)->port()));
  const auto source = Connect();
  ASSERT_NE(source, nullptr);
  Sent sent = MakeBatch(2, 2, 1);
  const absl::Status attached = source->Attach(sent.batch, Soon(), &sent.views);
  EXPECT_EQ(attached.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(attached.message()), HasSubstr("has 2 bytes, 48 were asked for"));
}

}  // namespace
}  // namespace mimeo
