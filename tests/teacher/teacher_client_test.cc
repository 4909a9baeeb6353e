// A rank's teacher client against real servers over loopback: connections, waiting, limits, peers that break the
// contract.
#include <ATen/ops/empty.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/rpc/rpc.h"
#include "proto/teacher.grpc.pb.h"
#include "teacher/teacher_client.h"
#include "tests/teacher/labelling_teacher.h"

namespace mimeo::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

using TeacherClientTest = TeacherClientFixture;

TEST_F(TeacherClientTest, AttachesTheFeaturesOfEveryViewInRequestsThatTheTeacherTakes) {
  for (const int max_images : {1, 2, 3, 64}) {  // 7 images a view: 7, 4, 3 and 1 requests
    TinyTeacher teacher(Contract("a", max_images));
    SetAddress(teacher.address());
    const auto source = Connect();
    ASSERT_NE(source, nullptr);
    EXPECT_EQ(source->width(), kWidth);
    EXPECT_EQ(source->request().teacher, "tiny");
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
      reply.set_type(TENSOR_TYPE_FLOAT32);
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
}  // namespace mimeo::testing
