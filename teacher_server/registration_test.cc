#include "teacher_server/registration.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/rpc/rpc.h"
#include "base/testing/fake_clock.h"

namespace mimeo {
namespace {

// The coordinator's side of the contract, as far as teachers see it.
class RecordingCluster : public Cluster::Service {
 public:
  grpc::Status TeacherHeartbeat(grpc::ServerContext* context, const TeacherHeartbeatRequest* request,
                                TeacherHeartbeatReply* reply) override {
    absl::MutexLock lock(&mu_);
    heartbeats_.push_back(*request);
    return answer_;
  }
  void AnswerWith(const grpc::Status& answer) {
    absl::MutexLock lock(&mu_);
    answer_ = answer;
  }

  std::vector<TeacherHeartbeatRequest> WaitFor(size_t count) {
    absl::MutexLock lock(&mu_);
    const auto there = [&] { return heartbeats_.size() >= count; };
    mu_.Await(absl::Condition(&there));
    return heartbeats_;
  }

 private:
  absl::Mutex mu_;
  std::vector<TeacherHeartbeatRequest> heartbeats_ ABSL_GUARDED_BY(mu_);
  grpc::Status answer_ ABSL_GUARDED_BY(mu_);
};

TeacherHeartbeatRequest Heartbeat() {
  TeacherHeartbeatRequest heartbeat;
  heartbeat.set_name("dino");
  heartbeat.set_incarnation("7-1");
  heartbeat.set_address("127.0.0.1:1234");
  return heartbeat;
}

TEST(RegistrationTest, BeatsAtOnceAndThenOncePerSecond) {
  RecordingCluster cluster;
  auto server = RpcServer::Start(ChannelOptions(), "127.0.0.1:0", {&cluster});
  ASSERT_TRUE(server.ok()) << server.status();
  Metrics metrics(MetricOwner::kTeacher);
  mimeo::testing::FakeClock clock;
  Registration registration(ChannelOptions(), absl::StrCat("127.0.0.1:", (*server)->port()), Heartbeat(), &metrics,
                            &clock);
  const auto first = cluster.WaitFor(1);
  EXPECT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].name(), "dino");
  EXPECT_EQ(first[0].incarnation(), "7-1");
  EXPECT_EQ(first[0].address(), "127.0.0.1:1234");
  // The fake clock stands still between two beats, so each needs its own second.
  clock.Advance(absl::Seconds(1));
  cluster.WaitFor(2);
  clock.Advance(absl::Seconds(1));
  EXPECT_EQ(cluster.WaitFor(3).size(), 3u);
}

TEST(RegistrationTest, GoesOnWhileTheCoordinatorIsAway) {
  std::string address;
  {
    RecordingCluster nobody;
    auto server = RpcServer::Start(ChannelOptions(), "127.0.0.1:0", {&nobody});
    ASSERT_TRUE(server.ok());
    address = absl::StrCat("127.0.0.1:", (*server)->port());
  }
  Metrics metrics(MetricOwner::kTeacher);
  mimeo::testing::FakeClock clock;
  Registration registration(ChannelOptions(), address, Heartbeat(), &metrics, &clock);
  while (metrics.Text().find("mimeo_teacher_heartbeat_failures_total 0") != std::string::npos) {
    std::this_thread::yield();
  }
  RecordingCluster cluster;
  auto server = RpcServer::Start(ChannelOptions(), address, {&cluster});
  ASSERT_TRUE(server.ok()) << server.status();
  std::thread time([&] {
    while (cluster.WaitFor(0).empty()) {
      clock.Advance(absl::Seconds(1));
      std::this_thread::yield();
    }
  });
  EXPECT_EQ(cluster.WaitFor(1)[0].name(), "dino");
  time.join();
}

TEST(RegistrationTest, ARefusalIsForGoodAndAnythingElseIsTriedAgain) {
  RecordingCluster cluster;
  cluster.AnswerWith(grpc::Status(grpc::StatusCode::ALREADY_EXISTS, "a newer incarnation of dino is registered"));
  auto server = RpcServer::Start(ChannelOptions(), "127.0.0.1:0", {&cluster});
  ASSERT_TRUE(server.ok()) << server.status();
  Metrics metrics(MetricOwner::kTeacher);
  mimeo::testing::FakeClock clock;
  Registration registration(ChannelOptions(), absl::StrCat("127.0.0.1:", (*server)->port()), Heartbeat(), &metrics,
                            &clock);
  cluster.WaitFor(1);
  EXPECT_TRUE(registration.refusal().ok());
  cluster.AnswerWith(grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "another protocol version"));
  while (registration.refusal().ok()) {
    clock.Advance(absl::Seconds(1));
    std::this_thread::yield();
  }
  EXPECT_EQ(registration.refusal().message(), "another protocol version");
  const size_t heard = cluster.WaitFor(2).size();
  clock.Advance(absl::Seconds(5));
  EXPECT_EQ(cluster.WaitFor(0).size(), heard);
}

}  // namespace
}  // namespace mimeo
