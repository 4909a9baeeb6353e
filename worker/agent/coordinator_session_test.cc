// The session against a recording coordinator on loopback.
#include "worker/agent/coordinator_session.h"

#include <gtest/gtest.h>

#include "base/testing/status_matchers.h"
#include "worker/agent/testing/fake_cluster.h"

namespace mimeo {
namespace {

RankStatus Rank(int rank, const std::string& message) {
  RankStatus status;
  status.set_job_id("j1");
  status.set_generation(1);
  status.set_rank(rank);
  status.set_phase(RANK_PHASE_FAILED);
  status.set_status_code(14);
  status.set_step(7);
  status.set_store_address("127.0.0.1:4242");
  status.set_message(message);
  return status;
}

WorkerIdentity Identity() {
  WorkerIdentity identity;
  identity.set_id("w0");
  identity.set_incarnation("1");
  return identity;
}

TEST(EncodableTest, WhatIsTextIsLeftAlone) {
  const RankStatus rank = Rank(0, "caf\xc3\xa9.jpg");
  EXPECT_EQ(Encodable(rank).SerializeAsString(), rank.SerializeAsString());
}

TEST(EncodableTest, OnlyTheTextsAtFaultAreLost) {
  RankStatus rank = Rank(0, "fine");
  rank.set_doing("reads caf\xe9.jpg");
  const RankStatus kept = Encodable(rank);
  RankStatus read;
  EXPECT_TRUE(read.ParseFromString(kept.SerializeAsString()));
  EXPECT_EQ(kept.doing(), "");
  EXPECT_EQ(kept.store_address(), "127.0.0.1:4242");
  EXPECT_EQ(kept.step(), 7);
  EXPECT_EQ(kept.phase(), RANK_PHASE_FAILED);
  EXPECT_NE(kept.message().find("could not be sent"), std::string::npos);
}

TEST(EncodableTest, OddTextsOfItsTeachersCostTheTeachersAlone) {
  RankStatus rank = Rank(0, "fine");
  rank.add_teachers()->set_name("caf\xe9");
  const RankStatus kept = Encodable(rank);
  RankStatus read;
  EXPECT_TRUE(read.ParseFromString(kept.SerializeAsString()));
  EXPECT_EQ(kept.teachers_size(), 0);
  EXPECT_EQ(kept.phase(), RANK_PHASE_FAILED);
}

TEST(CoordinatorSessionTest, AStatusThatCannotBeEncodedCostsNoHeartbeatAndHidesNoOther) {
  testing::FakeCluster cluster;
  CoordinatorSession session(ChannelOptions(), cluster.address(), Identity());
  EXPECT_OK(session.Beat({Rank(0, "caf\xe9"), Rank(1, "out of luck")}, /*leaving=*/false).status());
  const auto heard =
      cluster.AwaitHeartbeat("both", [](const HeartbeatRequest& request) { return request.ranks_size() == 2; });
  ASSERT_EQ(heard.ranks_size(), 2);
  EXPECT_EQ(heard.worker_id(), "w0");
  EXPECT_EQ(heard.incarnation(), "1");
  EXPECT_EQ(heard.ranks(0).phase(), RANK_PHASE_FAILED);
  EXPECT_NE(heard.ranks(0).message().find("could not be sent"), std::string::npos) << heard.ShortDebugString();
  EXPECT_EQ(heard.ranks(1).message(), "out of luck");
  EXPECT_OK(session.LeaveCluster({Rank(0, "caf\xe9")}));
  ASSERT_EQ(cluster.goodbyes().size(), 1u);
  EXPECT_EQ(cluster.goodbyes()[0].incarnation(), "1");
}

TEST(CoordinatorSessionTest, EachRankOfAnOrderIsToldAndRankZeroNotWhereItsOwnStoreIs) {
  testing::FakeCluster cluster;
  std::vector<GangAssignment> given(2);
  for (GangAssignment& assignment : given) assignment.set_store_address("127.0.0.1:4242");
  given[1].set_rank(1);
  cluster.Assign(given);
  CoordinatorSession session(ChannelOptions(), cluster.address(), Identity());
  ASSERT_OK_AND_ASSIGN(const Orders orders, session.Beat({}, /*leaving=*/false));
  const std::vector<GangAssignment>& heard = orders.assignments;
  ASSERT_EQ(heard.size(), 2u);
  EXPECT_EQ(heard[0].rank(), 0);
  EXPECT_EQ(heard[0].store_address(), "");
  EXPECT_EQ(heard[1].rank(), 1);
  EXPECT_EQ(heard[1].store_address(), "127.0.0.1:4242");
}

TEST(CoordinatorSessionTest, AWorkerThatWasNeverHeardOfSaysNoGoodbye) {
  testing::FakeCluster cluster;
  CoordinatorSession session(ChannelOptions(), cluster.address(), Identity());
  EXPECT_OK(session.LeaveCluster({}));
  EXPECT_TRUE(cluster.goodbyes().empty());
}

}  // namespace
}  // namespace mimeo
