#include "teacher_server/serving.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "base/rpc/rpc.h"
#include "proto/teacher.grpc.pb.h"
#include "teacher/teacher_frames.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kImagePx = 8;  // L = 4
constexpr int kImageBytes = 3 * kImagePx * kImagePx;

TeacherContract Contract(int feature_width) {
  TeacherContract contract;
  contract.set_name("tiny");
  contract.set_feature_width(feature_width);
  contract.set_image_height_px(kImagePx);
  contract.set_image_width_px(kImagePx);
  contract.set_patch_px(4);
  contract.set_channels(3);
  contract.set_num_blocks(2);
  contract.set_block_width(feature_width);
  contract.set_has_class_token(true);
  contract.set_feature_type(TENSOR_TYPE_FLOAT32);
  SetServingLimits(16, &contract);
  return contract;
}

// What is asked of one image of the teacher's own size.
FeatureRequestHeader Header(int num_indices) {
  FeatureRequestHeader header;
  header.set_num_images(1), header.set_num_indices(num_indices), header.set_channels(3);
  header.set_height_px(kImagePx), header.set_width_px(kImagePx);
  header.mutable_wish()->set_rows(2), header.mutable_wish()->set_cols(2);
  return header;
}

// Features that say which image and which patch they are of: first byte of the image + 1000 * patch index.
absl::StatusOr<std::vector<std::string>> Label(absl::Span<const FeatureTask> tasks, int feature_width) {
  std::vector<std::string> all;
  for (const FeatureTask& task : tasks) {
    std::vector<float> features;
    for (int b = 0; b < task.num_images; ++b) {
      for (int k = 0; k < task.num_chosen; ++k) {
        const int patch = task.indices.empty() ? k : task.indices[b * task.num_chosen + k];
        const int image = static_cast<unsigned char>(task.images[b * kImageBytes]);
        features.insert(features.end(), feature_width, static_cast<float>(image + 1000 * patch));
      }
    }
    all.emplace_back(reinterpret_cast<const char*>(features.data()), features.size() * sizeof(float));
  }
  return all;
}

// A compute function that waits for Open, and knows how many requests it has seen.
class Gate {
 public:
  explicit Gate(int feature_width) : feature_width_(feature_width) {}
  Batcher::Compute function() {
    return [this](absl::Span<const FeatureTask> tasks) {
      {
        absl::MutexLock lock(&mu_);
        requests_ += tasks.size();
        mu_.Await(absl::Condition(&open_));
      }
      return Label(tasks, feature_width_);
    };
  }
  void Open() {
    absl::MutexLock lock(&mu_);
    open_ = true;
  }
  int requests() {
    absl::MutexLock lock(&mu_);
    return requests_;
  }
  void WaitForRequests(int count) {
    absl::MutexLock lock(&mu_);
    const auto there = [&] { return requests_ >= count; };
    mu_.Await(absl::Condition(&there));
  }

 private:
  const int feature_width_;
  absl::Mutex mu_;
  bool open_ ABSL_GUARDED_BY(mu_) = false;
  int requests_ ABSL_GUARDED_BY(mu_) = 0;
};

// One raw stream, frame by frame.
class Client {
 public:
  explicit Client(int port)
      : stub_(Teacher::NewStub(OpenChannel(absl::StrCat("127.0.0.1:", port)))),
        stream_(stub_->StreamFeatures(&context_)) {}

  bool Send(const FeatureRequest& frame) { return stream_->Write(frame); }
  // One image whose bytes are all `label`, patches `indices` (none: all).
  bool Ask(uint64_t id, char label, const std::vector<int32_t>& indices = {}) {
    const std::string image(kImageBytes, label);
    return Ask(id, Header(static_cast<int>(indices.size())), image,
               {reinterpret_cast<const char*>(indices.data()), indices.size() * sizeof(int32_t)});
  }
  bool Ask(uint64_t id, const FeatureRequestHeader& header, absl::string_view images, absl::string_view choice) {
    FeatureRequestFrames frames(id, header, images, choice);
    FeatureRequest frame;
    while (frames.Next(&frame)) {
      if (!Send(frame)) return false;
    }
    return true;
  }
  std::vector<float> Receive(uint64_t id, int count) {
    std::vector<float> features(count);
    FeatureReplyAssembler assembler(id, TENSOR_TYPE_FLOAT32, {},
                                    {reinterpret_cast<char*>(features.data()), count * sizeof(float)});
    FeatureReply frame;
    while (stream_->Read(&frame)) {
      auto whole = assembler.Add(frame);
      EXPECT_TRUE(whole.ok()) << whole.status();
      if (!whole.ok() || *whole) return features;
    }
    ADD_FAILURE() << "the stream ended";
    return {};
  }
  absl::Status Finish() {
    stream_->WritesDone();
    FeatureReply frame;
    while (stream_->Read(&frame)) {
    }
    return FromGrpc(stream_->Finish());
  }
  void Cancel() { context_.TryCancel(); }
  Teacher::Stub* stub() { return stub_.get(); }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<Teacher::Stub> stub_;
  std::unique_ptr<grpc::ClientReaderWriter<FeatureRequest, FeatureReply>> stream_;
};

class ServingTest : public ::testing::Test {
 protected:
  std::unique_ptr<ServingTeacher> Serve(Batcher::Compute compute, int feature_width = 2,
                                        ServingTeacher::Options options = {}) {
    auto server = ServingTeacher::Start(options, Contract(feature_width), std::move(compute), &metrics_, Clock::Real());
    EXPECT_TRUE(server.ok()) << server.status();
    return *std::move(server);
  }
  std::unique_ptr<ServingTeacher> ServeLabels() {
    return Serve([](absl::Span<const FeatureTask> tasks) { return Label(tasks, 2); });
  }

  Metrics metrics_{MetricOwner::kTeacher};
};

TEST_F(ServingTest, DescribesItselfAndAnswersInOrder) {
  auto server = ServeLabels();
  Client client(server->port());
  grpc::ClientContext context;
  TeacherContract contract;
  ASSERT_TRUE(client.stub()->Describe(&context, DescribeRequest(), &contract).ok());
  EXPECT_EQ(contract.name(), "tiny");
  EXPECT_EQ(contract.max_requests_in_flight(), limits::kTeacherRequestsInFlight);
  EXPECT_EQ(contract.max_images_per_request(), 16);

  ASSERT_TRUE(client.Ask(1, 5, {3, 0}));
  ASSERT_TRUE(client.Ask(2, 6));
  EXPECT_THAT(client.Receive(1, 4), ElementsAre(3005, 3005, 5, 5));
  EXPECT_THAT(client.Receive(2, 8), ElementsAre(6, 6, 1006, 1006, 2006, 2006, 3006, 3006));
  EXPECT_TRUE(client.Finish().ok());
  EXPECT_THAT(metrics_.Text(), HasSubstr("mimeo_teacher_requests_total 2"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("mimeo_teacher_sent_bytes_total 48"));
}

TEST_F(ServingTest, ImagesOfTwoClientsShareABatch) {
  Gate gate(2);
  auto server = Serve(gate.function());
  Client first(server->port()), one(server->port()), two(server->port());
  ASSERT_TRUE(first.Ask(1, 1));
  gate.WaitForRequests(1);  // the compute thread is busy
  ASSERT_TRUE(one.Ask(1, 2));
  ASSERT_TRUE(two.Ask(1, 3, {1}));
  while (server->batcher().queued_images() < 2) std::this_thread::yield();
  gate.Open();
  EXPECT_EQ(one.Receive(1, 8)[7], 3002);
  EXPECT_THAT(two.Receive(1, 2), ElementsAre(1003, 1003));
  EXPECT_EQ(first.Receive(1, 8)[0], 1);
  EXPECT_THAT(metrics_.Text(), HasSubstr("mimeo_teacher_batch_images_count 2"));  // 1 image, then 2 together
  EXPECT_THAT(metrics_.Text(), HasSubstr("mimeo_teacher_batch_images_sum 3"));
}

TEST_F(ServingTest, RequestsOfOneStreamMayWishDifferently) {
  absl::Mutex mu;
  bool open = false;
  std::vector<std::vector<int>> batches;  // by layer
  auto server = Serve([&](absl::Span<const FeatureTask> tasks) -> absl::StatusOr<std::vector<std::string>> {
    absl::MutexLock lock(&mu);
    batches.emplace_back();
    for (const FeatureTask& task : tasks) batches.back().push_back(task.wish.layer());
    mu.Await(absl::Condition(&open));
    // Layer n at its only visible patch: (n, n).
    std::vector<std::string> answers;
    for (const FeatureTask& task : tasks) {
      const float values[] = {static_cast<float>(task.wish.layer()), static_cast<float>(task.wish.layer())};
      answers.emplace_back(reinterpret_cast<const char*>(values), sizeof(values));
    }
    return answers;
  });
  const std::string image(kImageBytes, 'x');
  const int32_t index = 0;
  const absl::string_view choice(reinterpret_cast<const char*>(&index), sizeof(index));
  const auto ask = [&](Client* client, uint64_t id, int layer) {
    FeatureRequestHeader header = Header(1);
    header.mutable_wish()->set_layer(layer);
    ASSERT_TRUE(client->Ask(id, header, image, choice));
  };
  Client one(server->port()), two(server->port());
  ask(&one, 1, 0);
  const auto busy = [&] { return batches.size() == 1; };
  {
    absl::MutexLock lock(&mu);
    mu.Await(absl::Condition(&busy));
  }
  ask(&one, 2, 1);
  ask(&one, 3, 2);
  ask(&two, 1, 1);
  ask(&two, 2, 2);
  while (server->batcher().queued_images() < 4) std::this_thread::yield();
  {
    absl::MutexLock lock(&mu);
    open = true;
  }
  for (int layer = 0; layer <= 2; ++layer) EXPECT_THAT(one.Receive(layer + 1, 2), ElementsAre(layer, layer));
  for (int layer = 1; layer <= 2; ++layer) EXPECT_THAT(two.Receive(layer, 2), ElementsAre(layer, layer));
  EXPECT_THAT(batches, ElementsAre(ElementsAre(0), ElementsAre(1, 1), ElementsAre(2, 2)));
}

TEST_F(ServingTest, MalformedFramesEndTheStreamWithTheNumber) {
  auto server = ServeLabels();
  FeatureRequest no_header;
  no_header.set_request_id(3);
  no_header.set_payload("x");
  FeatureRequest too_many = no_header;
  *too_many.mutable_header() = Header(0);
  too_many.mutable_header()->set_num_images(17);
  FeatureRequest too_long = no_header;
  *too_long.mutable_header() = Header(0);
  too_long.set_payload(std::string(kImageBytes + 1, 'x'));
  FeatureRequest no_grid = too_long, deep = too_long;
  no_grid.mutable_header()->mutable_wish()->set_rows(0);
  deep.mutable_header()->mutable_wish()->set_layer(3);
  const std::pair<FeatureRequest, const char*> cases[] = {
      {no_grid, "request 3: the grid is 0x2, must have 1 to 4096 patches"},
      {deep, "request 3: layer is 3, must be in [0, 2]"},
      {no_header, "request 3: the first frame has no header"},
      {too_many, "request 3: num_images is 17, must be in [1, 16]"},
      {too_long, "request 3: 193 bytes, its header announces 192"},
  };
  for (const auto& [frame, message] : cases) {
    Client client(server->port());
    ASSERT_TRUE(client.Send(frame));
    const absl::Status status = client.Finish();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
  }
  Client outside(server->port());
  ASSERT_TRUE(outside.Ask(1, 1, {0, 4}));
  EXPECT_THAT(outside.Finish().ToString(), HasSubstr("patch index 4 of image 0 is outside [0, 4)"));

  Client half(server->port());
  too_long.set_payload("x");
  ASSERT_TRUE(half.Send(too_long));
  EXPECT_THAT(half.Finish().ToString(), HasSubstr("ended inside a request"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("mimeo_teacher_errors_total 7"));
}

TEST_F(ServingTest, AClientThatNeverReadsIsNotReadFrom) {
  constexpr int kWidth = 2 << 20;  // 4 patches: an answer of 32 MiB, far more than the transport takes
  Gate gate(kWidth);
  auto server = Serve(gate.function(), kWidth);
  gate.Open();
  Client deaf(server->port());
  std::thread writer([&] {
    for (uint64_t id = 1; id <= 64 && deaf.Ask(id, 1); ++id) {
    }
  });
  gate.WaitForRequests(limits::kTeacherRequestsInFlight);
  // Meanwhile another client is served many times over.
  Client client(server->port());
  for (uint64_t id = 1; id <= 8; ++id) {
    ASSERT_TRUE(client.Ask(id, 1, {2}));
    EXPECT_EQ(client.Receive(id, kWidth)[0], 2001);
  }
  EXPECT_EQ(gate.requests(), limits::kTeacherRequestsInFlight + 8);
  EXPECT_LE(server->service().admitted().images, limits::kTeacherRequestsInFlight + 1);
  deaf.Cancel();
  writer.join();
  while (server->service().admitted().images > 0) std::this_thread::yield();
}

TEST_F(ServingTest, RequestsBeyondTheCapacityWaitForTheirTurn) {
  Gate gate(2);
  ServingTeacher::Options options;
  options.service.capacity = {3, 1 << 20};
  auto server = Serve(gate.function(), 2, options);
  Client one(server->port()), two(server->port());
  for (uint64_t id = 1; id <= 3; ++id) ASSERT_TRUE(one.Ask(id, 1, {0}));
  while (server->service().admitted().images < 3) std::this_thread::yield();
  ASSERT_TRUE(two.Ask(1, 2, {0}));
  EXPECT_EQ(server->service().admitted().images, 3);
  gate.Open();
  EXPECT_THAT(two.Receive(1, 2), ElementsAre(2, 2));
  for (uint64_t id = 1; id <= 3; ++id) EXPECT_THAT(one.Receive(id, 2), ElementsAre(1, 1));
  EXPECT_TRUE(one.Finish().ok());
  EXPECT_TRUE(two.Finish().ok());
  while (server->service().admitted().bytes > 0) std::this_thread::yield();
}

TEST_F(ServingTest, TooManyStreamsAreRefused) {
  ServingTeacher::Options options;
  options.service.max_streams = 1;
  auto server = Serve([](absl::Span<const FeatureTask> tasks) { return Label(tasks, 2); }, 2, options);
  Client first(server->port());
  ASSERT_TRUE(first.Ask(1, 1));
  first.Receive(1, 8);
  Client second(server->port());
  EXPECT_EQ(second.Finish().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(first.Finish().ok());
  while (server->service().num_streams() > 0) std::this_thread::yield();
  Client third(server->port());
  ASSERT_TRUE(third.Ask(1, 1));
  third.Receive(1, 8);
}

TEST_F(ServingTest, StopEndsOpenStreamsAtOnce) {
  Gate gate(2);
  auto server = Serve(gate.function());
  Client idle(server->port()), busy(server->port());
  ASSERT_TRUE(busy.Ask(1, 1));
  gate.WaitForRequests(1);
  while (server->service().num_streams() < 2) std::this_thread::yield();
  std::thread stop([&] { server.reset(); });
  EXPECT_EQ(busy.Finish().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(idle.Finish().code(), absl::StatusCode::kUnavailable);
  gate.Open();  // only now: streams do not wait for the running batch
  stop.join();
}

TEST_F(ServingTest, AClientThatHoldsMemoryAndDoesNothingIsCutOff) {
  Gate gate(2);
  auto server = Serve(gate.function());
  Client stalled(server->port()), idle(server->port()), busy(server->port());
  FeatureRequest half;
  half.set_request_id(1);
  *half.mutable_header() = Header(0);
  half.set_payload("x");
  ASSERT_TRUE(stalled.Send(half));
  ASSERT_TRUE(busy.Ask(1, 1));
  gate.WaitForRequests(1);
  while (server->service().admitted().images < 2 || server->service().num_streams() < 3) std::this_thread::yield();
  server->service().EndStalled(Clock::Real()->Now() + absl::Seconds(1));
  EXPECT_EQ(stalled.Finish().code(), absl::StatusCode::kDeadlineExceeded);
  gate.Open();
  EXPECT_EQ(busy.Receive(1, 8)[0], 1);  // waits for us, not we for it
  EXPECT_TRUE(busy.Finish().ok());
  EXPECT_TRUE(idle.Finish().ok());  // holds nothing
}

TEST_F(ServingTest, AFailedForwardPassEndsItsStreams) {
  auto server = Serve([](absl::Span<const FeatureTask>) { return absl::InternalError("out of memory"); });
  Client client(server->port());
  ASSERT_TRUE(client.Ask(1, 1));
  EXPECT_EQ(client.Finish(), absl::InternalError("out of memory"));
}

TEST(ServingLimitsTest, RequestsFitTheMemoryBound) {
  TeacherContract large;
  large.set_image_height_px(224);
  large.set_image_width_px(224);
  large.set_patch_px(16);
  large.set_channels(3);
  large.set_feature_width(768);
  large.set_num_blocks(12);
  large.set_block_width(768);
  large.set_feature_type(TENSOR_TYPE_FLOAT32);
  SetServingLimits(4096, &large);
  FeatureRequestHeader header = Header(196);
  header.set_num_images(large.max_images_per_request());
  header.set_height_px(224), header.set_width_px(224);
  header.mutable_wish()->set_rows(14), header.mutable_wish()->set_cols(14);
  auto size = SizeOf(header, GeometryOf(large).value());
  ASSERT_TRUE(size.ok()) << size.status();
  EXPECT_LE(size->total(), limits::kTeacherQueueBytes / 16);
  EXPECT_GT(size->total(), limits::kTeacherQueueBytes / 20);
  EXPECT_EQ(large.max_request_bytes(), limits::kTeacherQueueBytes / 16);
  // At a finer grid fewer fit.
  header.mutable_wish()->set_rows(28), header.mutable_wish()->set_cols(28), header.set_num_indices(0);
  EXPECT_EQ(SizeOf(header, GeometryOf(large).value()).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_LT(MostImages(header, GeometryOf(large).value()).value(), large.max_images_per_request());
}

TEST(ServingLimitsTest, AContractWithoutSenseIsNotServed) {
  Metrics metrics(MetricOwner::kTeacher);
  TeacherContract contract = Contract(2);
  contract.set_patch_px(3);
  auto server = ServingTeacher::Start({}, contract, nullptr, &metrics, Clock::Real());
  EXPECT_EQ(server.status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace mimeo
