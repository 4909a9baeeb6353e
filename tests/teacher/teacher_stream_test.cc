// One stream to a real teacher service, exchange by exchange.
#include "teacher/teacher_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/rpc/rpc.h"
#include "base/testing/status_matchers.h"
#include "proto/teacher.grpc.pb.h"
#include "tests/teacher/labelling_teacher.h"

namespace mimeo::testing {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// What is asked of one image, all of whose bytes are `image`: one of its patches.
struct Question {
  Question(int image, int32_t patch)
      : image(image), images(3 * kImagePx * kImagePx, static_cast<char>(image)), patch(patch) {}
  TeacherStream::Slice slice() {
    TeacherStream::Slice slice;
    slice.header.mutable_wish()->set_rows(2), slice.header.mutable_wish()->set_cols(2);
    slice.header.set_num_images(1), slice.header.set_num_indices(1), slice.header.set_channels(3);
    slice.header.set_height_px(kImagePx), slice.header.set_width_px(kImagePx);
    slice.images = images;
    slice.choice = {reinterpret_cast<const char*>(&patch), sizeof(patch)};
    slice.features = {reinterpret_cast<char*>(features.data()), features.size() * sizeof(float)};
    slice.type = TENSOR_TYPE_FLOAT32;
    return slice;
  }
  void ExpectAnswered() const {
    EXPECT_THAT(features, ElementsAre(Feature(image, patch, 0), Feature(image, patch, 1), Feature(image, patch, 2)));
  }
  void ExpectUntouched() const { EXPECT_THAT(features, Each(-1)); }

  const int image;
  const std::string images;
  const int32_t patch;
  std::vector<float> features = std::vector<float>(kWidth, -1);
};

class TeacherStreamTest : public ::testing::Test {
 protected:
  static absl::Time Soon() { return Clock::Real()->Now() + absl::Seconds(30); }

  void Serve(Batcher::Compute compute = nullptr) {
    teacher_ = std::make_unique<TinyTeacher>(Contract("a"), std::move(compute));
    stub_ = Teacher::NewStub(OpenChannel(teacher_->address()));
    grpc::ClientContext context;
    TeacherContract contract;
    ASSERT_TRUE(stub_->Describe(&context, DescribeRequest(), &contract).ok());
    const auto found = context.GetServerInitialMetadata().find(kTeacherInstanceKey);
    ASSERT_NE(found, context.GetServerInitialMetadata().end());
    instance_.assign(found->second.data(), found->second.size());
  }
  // Every batch waits for open_.
  void ServeClosed() {
    Serve([this](absl::Span<const FeatureTask> tasks) -> absl::StatusOr<std::vector<std::string>> {
      open_.WaitForNotification();
      return Label(tasks);
    });
  }

  void TearDown() override {
    if (!open_.HasBeenNotified()) open_.Notify();
  }

  absl::Notification open_;
  std::unique_ptr<TinyTeacher> teacher_;
  std::unique_ptr<Teacher::Stub> stub_;
  std::string instance_;
};

TEST_F(TeacherStreamTest, OneStreamServesExchangeAfterExchange) {
  Serve();
  TeacherStream stream(stub_.get(), instance_);
  for (int exchange = 0; exchange < 3; ++exchange) {
    // More than the teacher reads before it answers.
    std::vector<Question> questions;
    for (int i = 0; i < 3 * limits::kTeacherRequestsInFlight; ++i) questions.emplace_back(10 * exchange + i, i % 4);
    std::vector<TeacherStream::Slice> slices;
    for (Question& question : questions) slices.push_back(question.slice());
    stream.Begin(slices);
    ASSERT_TRUE(stream.Wait(Soon()));
    const TeacherStream::Outcome outcome = stream.End();
    EXPECT_OK(outcome.status);
    EXPECT_EQ(outcome.num_answered, questions.size());
    for (const Question& question : questions) question.ExpectAnswered();
  }
}

TEST_F(TeacherStreamTest, AWaitThatEndsTooEarlyMayBeRepeated) {
  ServeClosed();
  TeacherStream stream(stub_.get(), instance_);
  Question question(7, 2);
  stream.Begin({question.slice()});
  EXPECT_FALSE(stream.Wait(Clock::Real()->Now() + absl::Milliseconds(20)));
  question.ExpectUntouched();
  open_.Notify();
  ASSERT_TRUE(stream.Wait(Soon()));
  EXPECT_OK(stream.End().status);
  question.ExpectAnswered();
}

TEST_F(TeacherStreamTest, AnExchangeThatIsGivenUpLeavesTheMemoryAlone) {
  ServeClosed();
  Question question(7, 2);
  {
    TeacherStream stream(stub_.get(), instance_);
    stream.Begin({question.slice()});
    EXPECT_FALSE(stream.Wait(Clock::Real()->Now() + absl::Milliseconds(20)));
    const TeacherStream::Outcome outcome = stream.End();
    EXPECT_THAT(outcome.status, StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("no answer in time")));
    EXPECT_EQ(outcome.num_answered, 0u);
    open_.Notify();
  }
  teacher_.reset();  // whatever it had to say is said
  question.ExpectUntouched();
}

TEST_F(TeacherStreamTest, NothingOfAnotherServerProcessIsTaken) {
  Serve();
  TeacherStream stream(stub_.get(), "1-2-3");
  Question question(7, 2);
  stream.Begin({question.slice()});
  ASSERT_TRUE(stream.Wait(Soon()));
  const TeacherStream::Outcome outcome = stream.End();
  EXPECT_THAT(outcome.status, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("another server process answers")));
  EXPECT_EQ(outcome.num_answered, 0u);
  question.ExpectUntouched();
}

TEST_F(TeacherStreamTest, WhatTheTeacherRefusesEndsTheStreamWithItsWords) {
  Serve();
  TeacherStream stream(stub_.get(), instance_);
  Question good(7, 2), outside(8, 4);
  stream.Begin({good.slice(), outside.slice()});
  ASSERT_TRUE(stream.Wait(Soon()));
  const TeacherStream::Outcome outcome = stream.End();
  EXPECT_THAT(outcome.status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("patch index 4 of image 0")));
  outside.ExpectUntouched();
  // A stream that has ended says so again.
  stream.Begin({good.slice()});
  ASSERT_TRUE(stream.Wait(Soon()));
  EXPECT_THAT(stream.End().status, StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(TeacherStreamTest, ATeacherThatStopsIsUnavailable) {
  ServeClosed();
  TeacherStream stream(stub_.get(), instance_);
  Question question(7, 2);
  stream.Begin({question.slice()});
  std::thread stop([this] { teacher_.reset(); });
  ASSERT_TRUE(stream.Wait(Soon()));
  EXPECT_THAT(stream.End().status, StatusIs(absl::StatusCode::kUnavailable));
  open_.Notify();  // its running batch
  stop.join();
  question.ExpectUntouched();
}

// Answers each request twice, with zeros.
class TwiceAnswering : public Teacher::Service {
 public:
  grpc::Status StreamFeatures(grpc::ServerContext* context,
                              grpc::ServerReaderWriter<FeatureReply, FeatureRequest>* stream) override {
    context->AddInitialMetadata(kTeacherInstanceKey, "me");
    for (FeatureRequest request; stream->Read(&request);) {
      FeatureReply reply;
      reply.set_request_id(request.request_id());
      reply.set_total_bytes(kWidth * sizeof(float));
      reply.set_type(TENSOR_TYPE_FLOAT32);
      reply.set_payload(std::string(kWidth * sizeof(float), '\0'));
      stream->Write(reply);
      stream->Write(reply);
    }
    return grpc::Status::OK;
  }
};

TEST_F(TeacherStreamTest, AnAnswerForWhichNobodyWaitsIsDataLoss) {
  TwiceAnswering service;
  ASSERT_OK_AND_ASSIGN(const auto server, RpcServer::Start("127.0.0.1:0", {&service}));
  const auto stub = Teacher::NewStub(OpenChannel(absl::StrCat("127.0.0.1:", server->port())));
  TeacherStream stream(stub.get(), "me");
  Question first(7, 2), second(8, 3);
  stream.Begin({first.slice()});
  ASSERT_TRUE(stream.Wait(Soon()));
  EXPECT_OK(stream.End().status);
  stream.Begin({second.slice()});
  ASSERT_TRUE(stream.Wait(Soon()));
  EXPECT_THAT(stream.End().status, StatusIs(absl::StatusCode::kDataLoss, HasSubstr("answered request 1")));
  second.ExpectUntouched();
}

}  // namespace
}  // namespace mimeo::testing
