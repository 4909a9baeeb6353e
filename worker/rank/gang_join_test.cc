// Ranks of one process, each with an Agent service of its own on a real Unix socket.
#include "worker/rank/gang_join.h"

#include <ATen/ops/ones.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/rpc/rpc.h"
#include "base/testing/status_matchers.h"
#include "worker/rank/testing/recording_agent.h"

namespace mimeo {
namespace {

using testing::StatusIs;

// A rank of a gang of two, and its agent.
class Member {
 public:
  explicit Member(int rank) {
    assignment_.set_job_id("j1");
    assignment_.set_generation(1);
    assignment_.set_rank(rank);
    assignment_.set_num_ranks(2);
    agent_.Give(assignment_);
    const std::string address = absl::StrCat("unix:", dir_.path(), "/agent.sock");
    server_ = RpcServer::Start(ChannelOptions(), address, {&agent_}).value();
    link_ = RankLink::Connect(ChannelOptions(), address, assignment_, &progress_).value();
  }
  absl::StatusOr<std::unique_ptr<Gang>> Join() {
    return JoinGang(
        assignment_, "127.0.0.1", at::kCPU, link_.get(), [] { return false; }, &progress_);
  }
  std::string AwaitStoreAddress() {
    const auto has_one = [](const ReportRankRequest& report) { return !report.status().store_address().empty(); };
    return agent_.AwaitReport(has_one).status().store_address();
  }
  void Tell(const std::string& store_address, Stop stop) {
    GangAssignment newest = assignment_;
    newest.set_store_address(store_address);
    newest.set_stop(stop);
    agent_.Give(newest);
  }

 private:
  TempDir dir_;
  testing::RecordingAgent agent_;
  std::unique_ptr<RpcServer> server_;
  GangAssignment assignment_;
  Progress progress_;
  std::unique_ptr<RankLink> link_;
};

TEST(GangJoinTest, TheOthersHearByTheirAgentsWhereTheStoreIs) {
  setenv("TORCH_FR_BUFFER_SIZE", "0", /*overwrite=*/1);  // as in local_gang.cc
  Member first(0), second(1);
  const auto add = [](Member* member) {
    const auto gang = member->Join();
    ASSERT_OK(gang.status());
    at::Tensor one = at::ones({1});
    EXPECT_OK((*gang)->Sum(one));
    EXPECT_EQ(one.item<float>(), 2);
    (*gang)->Disband();
  };
  std::thread waits([&] { add(&second); }), opens([&] { add(&first); });
  second.Tell(first.AwaitStoreAddress(), STOP_UNSPECIFIED);
  waits.join();
  opens.join();
}

TEST(GangJoinTest, AStopEndsTheWaitForTheStore) {
  Member second(1);
  second.Tell("", STOP_AFTER_CHECKPOINT);
  EXPECT_THAT(second.Join().status(), StatusIs(absl::StatusCode::kCancelled));
}

}  // namespace
}  // namespace mimeo
