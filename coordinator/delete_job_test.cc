// A job that is deleted leaves nothing: not in the store, not in lists, streams or metrics, and its id is not given
// again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "base/limits.h"
#include "base/testing/status_matchers.h"
#include "coordinator/testing/services_fixture.h"
#include "store/keys.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Says;
using testing::ServicesTest;
using testing::StatusIs;
constexpr auto kNotFound = absl::StatusCode::kNotFound;

class DeleteJobTest : public ServicesTest {
 protected:
  absl::StatusOr<DeleteJobReply> Delete(const std::string& id) {
    DeleteJobRequest request;
    request.set_job_id(id);
    return Call(coordinator_.get(), &Coordinator::Stub::DeleteJob, request);
  }
  absl::Status Report(const std::string& id, int64_t step) {
    ReportStepsRequest request;
    request.set_job_id(id);
    request.set_generation(1);
    request.add_steps()->set_step(step);
    (*request.mutable_steps(0)->mutable_terms())["pixels"] = 1;
    request.add_evaluations()->set_step(step);
    return Call(cluster_.get(), &Cluster::Stub::ReportSteps, request).status();
  }
  // A job that has run, with two checkpoints, metrics, and an upload that was not committed any more.
  std::string FinishedJob() {
    const std::string id = RunJob();
    EXPECT_OK(Report(id, 1));
    for (const int64_t step : {5, 9}) {
      absl::Status uploaded;
      const CheckpointManifest manifest = Upload(id, step, std::string(3000, 'c'), &uploaded);
      EXPECT_OK(uploaded);
      EXPECT_OK(Commit(manifest));
    }
    absl::Status uploaded;
    Upload(id, 12, std::string(2000, 'u'), &uploaded);
    EXPECT_OK(uploaded);
    EXPECT_OK(Heartbeat("w0", {Says(id, RANK_PHASE_COMPLETED, 9)}));
    EXPECT_EQ(Get(id)->state(), JOB_STATE_SUCCEEDED);
    return id;
  }
  // How many keys of the store begin with the job's id.
  int KeysOf(const std::string& id) const {
    int keys = 0;
    for (const Family family : {Family::kManifests, Family::kChunks, Family::kMetrics}) {
      EXPECT_OK(store_->Scan(family, NameKey(id), "", [&](absl::string_view, absl::string_view) {
        ++keys;
        return true;
      }));
    }
    return keys;
  }
  std::vector<std::string> Listed(int page_size) {
    std::vector<std::string> ids;
    ListJobsRequest request;
    request.set_page_size(page_size);
    do {
      const auto page = Call(coordinator_.get(), &Coordinator::Stub::ListJobs, request);
      EXPECT_OK(page);
      if (!page.ok()) return ids;
      for (const Job& job : page->jobs()) ids.push_back(job.id());
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    return ids;
  }
  // Somebody waits at `core` for news of the job while it is deleted, and hears of it long before the wait would end.
  void ExpectTheWaitEnds(CoordinatorCore* core, const std::string& id) {
    ASSERT_OK_AND_ASSIGN(const auto seen, core->AwaitJob(id, 0, absl::InfinitePast()));
    const absl::Time begin = Clock::Real()->Now();
    absl::Status ended;
    absl::Notification begun;
    std::thread waiter([&] {
      begun.Notify();
      ended = core->AwaitJob(id, seen.version, begin + absl::Seconds(20)).status();
    });
    begun.WaitForNotification();
    EXPECT_OK(core->DeleteJob(id));
    waiter.join();
    EXPECT_THAT(ended, StatusIs(kNotFound, id));
    EXPECT_LT(Clock::Real()->Now() - begin, absl::Seconds(15));
  }
  // How a stream of the job's numbers ends.
  absl::Status ReadMetrics(const std::string& id, bool follow) {
    grpc::ClientContext context;
    SetDeadline(&context, absl::Seconds(20));
    MetricsRequest request;
    request.set_job_id(id);
    request.set_follow(follow);
    const auto stream = coordinator_->Metrics(&context, request);
    MetricsReply reply;
    while (stream->Read(&reply)) {
    }
    return FromGrpc(stream->Finish());
  }
};

TEST_F(DeleteJobTest, NothingOfItStays) {
  const std::string id = FinishedJob();
  EXPECT_GT(KeysOf(id), 5);
  EXPECT_THAT(exported_.Text(), HasSubstr(absl::StrCat("job=\"", id, "\"")));
  ASSERT_OK_AND_ASSIGN(const DeleteJobReply reply, Delete(id));
  EXPECT_EQ(reply.checkpoint_bytes(), 6000);
  EXPECT_EQ(KeysOf(id), 0);
  EXPECT_THAT(exported_.Text(), Not(HasSubstr(absl::StrCat("job=\"", id, "\""))));
  EXPECT_THAT(Delete(id), StatusIs(kNotFound, id));
  EXPECT_THAT(Get(id), StatusIs(kNotFound, id));
  EXPECT_THAT(ReadMetrics(id, false), StatusIs(kNotFound, id));
  EXPECT_THAT(ReadMetrics(id, true), StatusIs(kNotFound, id));
  EXPECT_TRUE(Listed(10).empty());
}

TEST_F(DeleteJobTest, OnlyAJobThatHasEndedIsDeleted) {
  const std::string id = RunJob();
  EXPECT_THAT(Delete(id), StatusIs(absl::StatusCode::kFailedPrecondition, "j1 is running; only a job that has ended"));
  EXPECT_THAT(Delete("j7"), StatusIs(kNotFound, "j7"));
  EXPECT_OK(Get(id));
}

TEST_F(DeleteJobTest, AnIdIsNotGivenAgainNotEvenByTheNextCoordinator) {
  ASSERT_OK(Submit(testing::ScriptJob(1), "first"));
  ASSERT_OK(Control("j1", WANT_CANCEL));
  ASSERT_OK(Delete("j1"));
  EXPECT_EQ(*Submit(testing::ScriptJob(1), "first"), "j2") << "the request is forgotten with its job";
  ASSERT_OK(Control("j2", WANT_CANCEL));
  ASSERT_OK(Delete("j2"));
  testing::ClusterScript next(store_.get(), absl::Seconds(60));
  EXPECT_THAT(next.Run("submit j1 ranks=1"), HasSubstr("it is called j3"));
}

TEST_F(DeleteJobTest, WhatARankSaysTooLateLeavesNothing) {
  const std::string id = FinishedJob();
  ASSERT_OK(Delete(id));
  EXPECT_THAT(Report(id, 10), StatusIs(kNotFound, id));
  absl::Status uploaded;
  const CheckpointManifest manifest = Upload(id, 5, std::string(3000, 'c'), &uploaded);
  EXPECT_THAT(uploaded, StatusIs(kNotFound, id));
  EXPECT_THAT(Commit(manifest), StatusIs(kNotFound, id));
  EXPECT_OK(Heartbeat("w0", {Says(id, RANK_PHASE_COMPLETED, 9)}));
  EXPECT_EQ(KeysOf(id), 0);
}

TEST_F(DeleteJobTest, ListsPassOverTheHoles) {
  for (int i = 1; i <= 9; ++i) {
    ASSERT_OK(Submit(testing::ScriptJob(1), absl::StrCat("r", i)));
    ASSERT_OK(Control(absl::StrCat("j", i), WANT_CANCEL));
  }
  for (const char* id : {"j1", "j4", "j5", "j9"}) ASSERT_OK(Delete(id));
  EXPECT_THAT(Listed(2), ElementsAre("j8", "j7", "j6", "j3", "j2"));
  ListJobsRequest request;
  request.set_page_size(2);
  ASSERT_OK_AND_ASSIGN(const ListJobsReply page, Call(coordinator_.get(), &Coordinator::Stub::ListJobs, request));
  ASSERT_OK(Delete("j7"));  // the last of that page
  request.set_page_token(page.next_page_token());
  ASSERT_OK_AND_ASSIGN(const ListJobsReply next, Call(coordinator_.get(), &Coordinator::Stub::ListJobs, request));
  EXPECT_EQ(next.jobs(0).id(), "j6");
}

TEST_F(DeleteJobTest, WhoeverWaitsForItHearsThatItIsGone) {
  ASSERT_OK(Submit(testing::ScriptJob(1), "first"));
  ASSERT_OK(Control("j1", WANT_CANCEL));
  ExpectTheWaitEnds(&core_, "j1");
}

// That one has not counted any change of the job yet.
TEST_F(DeleteJobTest, WhoeverWaitsForItAtTheNextCoordinatorHearsItToo) {
  ASSERT_OK(Submit(testing::ScriptJob(1), "first"));
  ASSERT_OK(Control("j1", WANT_CANCEL));
  CoordinatorCore next(store_.get(), Clock::Real(), &metrics_, SchedulerOptions());
  ASSERT_OK(next.Recover());
  ExpectTheWaitEnds(&next, "j1");
}

TEST_F(DeleteJobTest, AManifestThatCannotBeReadKeepsNothingBack) {
  const std::string id = FinishedJob();
  WriteBatch batch;
  for (const int64_t step : {5, 9}) batch.puts.push_back({Family::kManifests, ManifestKey(id, step), "caf\xe9"});
  ASSERT_OK(store_->Write(batch, Durability::kSynced));
  EXPECT_OK(Delete(id));
  EXPECT_EQ(KeysOf(id), 0);
}

}  // namespace
}  // namespace mimeo
