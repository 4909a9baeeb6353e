// The bounds of what is asked and answered, over a real channel: at each bound, and at one more.
#include <gmock/gmock.h>
#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/build_info.h"
#include "base/limits.h"
#include "base/testing/status_matchers.h"
#include "base/text.h"
#include "coordinator/testing/cluster_script.h"
#include "coordinator/testing/services_fixture.h"
#include "job/job_spec.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Says;
using testing::ScriptJob;
using testing::StatusIs;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

class ServicesBoundsTest : public testing::ServicesTest {
 protected:
  // Reads a list to its end. Each page is within its bounds.
  template <typename Request, typename Reply, typename Item>
  std::vector<Item> Pages(grpc::Status (Coordinator::Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
                          Request request, const std::function<std::vector<Item>(const Reply&)>& items_of, int* pages) {
    std::vector<Item> all;
    *pages = 0;
    do {
      const auto reply = Call(coordinator_.get(), method, request);
      EXPECT_OK(reply);
      if (!reply.ok()) return all;
      const std::vector<Item> items = items_of(*reply);
      EXPECT_LE(static_cast<int>(items.size()), request.page_size() == 0 ? limits::kPageItems : request.page_size());
      EXPECT_LE(static_cast<int64_t>(reply->ByteSizeLong()), limits::kPageBytes + 200);
      all.insert(all.end(), items.begin(), items.end());
      request.set_page_token(reply->next_page_token());
      ++*pages;
    } while (!request.page_token().empty());
    return all;
  }
  std::vector<std::string> Jobs(int page_size, int* pages) {
    ListJobsRequest request;
    request.set_page_size(page_size);
    return Pages<ListJobsRequest, ListJobsReply, std::string>(
        &Coordinator::Stub::ListJobs, request,
        [](const ListJobsReply& reply) {
          std::vector<std::string> ids;
          for (const Job& job : reply.jobs()) ids.push_back(job.id());
          return ids;
        },
        pages);
  }

  absl::Status Leave(const std::string& id, const std::vector<RankStatus>& ranks,
                     const std::string& incarnation = "1") {
    LeaveClusterRequest request;
    request.set_worker_id(id);
    request.set_incarnation(incarnation);
    for (const RankStatus& rank : ranks) *request.add_ranks() = rank;
    return Call(cluster_.get(), &Cluster::Stub::LeaveCluster, request).status();
  }

  absl::Status Report(const ReportStepsRequest& report) {
    return Call(cluster_.get(), &Cluster::Stub::ReportSteps, report).status();
  }

  // So many workers of 64 slots, one job on all of them.
  std::string RunOnAll(int workers) {
    for (int i = 0; i < workers; ++i) EXPECT_OK(Register(absl::StrCat("w", i), limits::kSlotsPerWorker));
    const auto id = Submit(ScriptJob(workers * limits::kSlotsPerWorker), "all");
    EXPECT_OK(id);
    return *id;
  }
};

// A spec of so many bytes when it is resolved.
JobSpec SpecOf(int64_t bytes) {
  JobSpec spec = *ResolveJobSpec(ScriptJob(1));
  google::protobuf::UnknownFieldSet* const unknown = spec.GetReflection()->MutableUnknownFields(&spec);
  const int64_t missing = bytes - static_cast<int64_t>(spec.ByteSizeLong());
  for (int64_t length = missing - 8; static_cast<int64_t>(spec.ByteSizeLong()) < bytes; ++length) {
    unknown->Clear();
    unknown->AddLengthDelimited(1000, std::string(static_cast<size_t>(length), 's'));
  }
  EXPECT_EQ(static_cast<int64_t>(spec.ByteSizeLong()), bytes);
  return spec;
}

TEST_F(ServicesBoundsTest, ASpecOverItsBoundLeavesNothingBehind) {
  ASSERT_OK(Submit(SpecOf(limits::kSpecBytes), "largest"));
  const std::string before = core_.StateForTest();
  EXPECT_THAT(Submit(SpecOf(limits::kSpecBytes + 1), "larger").status(),
              StatusIs(kInvalid, "spec: 32769 bytes; at most 32768"));
  JobSpec path = ScriptJob(1);
  path.mutable_data()->set_path(std::string(limits::kPathBytes + 1, 'p'));
  EXPECT_THAT(Submit(path, "path").status(), StatusIs(kInvalid, "data.path: 4097 bytes; at most 4096"));
  EXPECT_EQ(core_.StateForTest(), before);
}

TEST_F(ServicesBoundsTest, JobsComeInPagesNewestFirst) {
  int pages = 0;
  EXPECT_TRUE(Jobs(0, &pages).empty());
  for (int i = 0; i < 5; ++i) ASSERT_OK(Submit(ScriptJob(1), absl::StrCat("r", i)));
  EXPECT_EQ(Jobs(2, &pages), (std::vector<std::string>{"j5", "j4", "j3", "j2", "j1"}));
  EXPECT_EQ(pages, 3);
  EXPECT_EQ(Jobs(0, &pages).size(), 5u);
  EXPECT_EQ(pages, 1);
  // One that comes in between neither hides another nor shows it twice.
  ListJobsRequest request;
  request.set_page_size(2);
  ASSERT_OK_AND_ASSIGN(const ListJobsReply first, Call(coordinator_.get(), &Coordinator::Stub::ListJobs, request));
  ASSERT_OK(Submit(ScriptJob(1), "between"));
  request.set_page_token(first.next_page_token());
  ASSERT_OK_AND_ASSIGN(const ListJobsReply second, Call(coordinator_.get(), &Coordinator::Stub::ListJobs, request));
  EXPECT_EQ(second.jobs(0).id(), "j3");
  for (const std::string token : {"j3", "\x1b[2J", "j99:00000000"}) {
    request.set_page_token(token);
    EXPECT_THAT(Call(coordinator_.get(), &Coordinator::Stub::ListJobs, request).status(),
                StatusIs(kInvalid, "page_token: "));
  }
}

TEST_F(ServicesBoundsTest, JobsWithTheLargestSpecsFillPagesByBytes) {
  for (int i = 0; i < 130; ++i) ASSERT_OK(Submit(SpecOf(limits::kSpecBytes), absl::StrCat("r", i)));
  int pages = 0;
  const std::vector<std::string> ids = Jobs(0, &pages);
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 130u);
  EXPECT_EQ(pages, 3) << "4 MiB and a little";
}

TEST_F(ServicesBoundsTest, WorkersTeachersAndCheckpointsComeInPages) {
  for (int i = 0; i < 7; ++i) ASSERT_OK(Register(absl::StrCat("w", i), 1));
  for (int i = 0; i < 3; ++i) {
    TeacherHeartbeatRequest teacher;
    teacher.set_name(absl::StrCat("t", i));
    teacher.set_incarnation("1");
    teacher.set_address("127.0.0.1:9");
    *teacher.mutable_build() = ThisBuild();
    ASSERT_OK(Call(cluster_.get(), &Cluster::Stub::TeacherHeartbeat, teacher));
  }
  ListWorkersRequest workers;
  workers.set_page_size(3);
  int pages = 0;
  const auto ids = Pages<ListWorkersRequest, ListWorkersReply, std::string>(
      &Coordinator::Stub::ListWorkers, workers,
      [](const ListWorkersReply& reply) {
        std::vector<std::string> page;
        for (const Worker& worker : reply.workers()) page.push_back(worker.identity().id());
        return page;
      },
      &pages);
  EXPECT_EQ(ids, (std::vector<std::string>{"w0", "w1", "w2", "w3", "w4", "w5", "w6"}));
  EXPECT_EQ(pages, 3);
  ListTeachersRequest teachers;
  teachers.set_page_size(2);
  const auto names = Pages<ListTeachersRequest, ListTeachersReply, std::string>(
      &Coordinator::Stub::ListTeachers, teachers,
      [](const ListTeachersReply& reply) {
        std::vector<std::string> page;
        for (const TeacherInfo& teacher : reply.teachers()) page.push_back(teacher.name());
        return page;
      },
      &pages);
  EXPECT_EQ(names, (std::vector<std::string>{"t0", "t1", "t2"}));

  ASSERT_OK_AND_ASSIGN(const std::string id, Submit(ScriptJob(1), "run"));
  absl::Status uploaded;
  for (int64_t step = 1; step <= 3; ++step) ASSERT_OK(Commit(Upload(id, step, "parameters", &uploaded)));
  ListCheckpointsRequest checkpoints;
  checkpoints.set_job_id(id);
  checkpoints.set_page_size(2);
  const auto steps = Pages<ListCheckpointsRequest, ListCheckpointsReply, int64_t>(
      &Coordinator::Stub::ListCheckpoints, checkpoints,
      [](const ListCheckpointsReply& reply) {
        std::vector<int64_t> page;
        for (const CheckpointManifest& manifest : reply.manifests()) page.push_back(manifest.step());
        return page;
      },
      &pages);
  EXPECT_EQ(steps, (std::vector<int64_t>{3, 2, 1}));
  EXPECT_EQ(pages, 2);
}

// 4,096 ranks, each with the longest texts there may be.
TEST_F(ServicesBoundsTest, TheLargestGangFitsIntoAMessageWhateverItsRanksSay) {
  const std::string id = RunOnAll(limits::kRanksPerJob / limits::kSlotsPerWorker);
  const std::string longest = [] {
    std::string text;
    while (text.size() + 3 <= limits::kReasonBytes) text += "\xe7\x8c\xab";
    return text;
  }();
  int heard = 0;
  for (int worker = 0; worker < limits::kRanksPerJob / limits::kSlotsPerWorker; ++worker) {
    ASSERT_OK_AND_ASSIGN(const HeartbeatReply order, Heartbeat(absl::StrCat("w", worker)));
    ASSERT_EQ(order.gangs_size(), 1);
    std::vector<RankStatus> ranks;
    for (const int rank : order.gangs(0).ranks()) {
      RankStatus status = Says(id, RANK_PHASE_TRAINING, 1);
      status.set_rank(rank);
      status.set_message(longest);
      status.set_doing(longest);
      status.set_waiting_for(longest);
      status.set_dataset_digest(std::string(64, 'd'));
      ranks.push_back(status);
    }
    heard += static_cast<int>(ranks.size());
    ASSERT_OK(Heartbeat(absl::StrCat("w", worker), ranks));
  }
  ASSERT_EQ(heard, limits::kRanksPerJob);
  ASSERT_OK_AND_ASSIGN(const Job job, Get(id));
  ASSERT_EQ(job.ranks_size(), limits::kRanksPerJob);
  EXPECT_GT(static_cast<int64_t>(job.ByteSizeLong()), limits::kPageBytes);
  EXPECT_LT(static_cast<int64_t>(job.ByteSizeLong()), limits::kMessageBytes);
  for (const RankStatus& rank : job.ranks()) {
    ASSERT_GE(rank.message().size(), 400u) << "how it ended comes first";
    ASSERT_LE(rank.message().size(), static_cast<size_t>(limits::kShortReasonBytes));
    ASSERT_TRUE(IsUtf8(rank.message()));
  }
  GetJobRequest request;
  request.set_job_id(id);
  grpc::ClientContext context;
  SetDeadline(&context, absl::Seconds(20));
  const auto stream = coordinator_->WatchJob(&context, request);
  Job watched;
  EXPECT_TRUE(stream->Read(&watched));
  EXPECT_EQ(watched.ranks_size(), limits::kRanksPerJob);
  context.TryCancel();
  stream->Finish();
  EXPECT_OK(Call(coordinator_.get(), &Coordinator::Stub::Explain, request));
  EXPECT_OK(Heartbeat("w0")) << "what the gang waits for is in the order";
}

// Once the order held the manifest, for each rank: 8 times 557 kB.
TEST_F(ServicesBoundsTest, ACheckpointOfManyChunksIsDeliveredToEightRanksOfOneHost) {
  constexpr int kChunks = 16384;
  ASSERT_OK(Register("w0", 8));
  ASSERT_OK_AND_ASSIGN(const std::string id, Submit(ScriptJob(8), "run"));
  std::string bytes;
  for (int i = 0; i < kChunks; ++i) bytes.push_back(static_cast<char>(i * 7 + i / 256));
  absl::Status uploaded;
  const CheckpointManifest manifest = Upload(id, 10, bytes, &uploaded, /*chunk_bytes=*/1);
  ASSERT_OK(uploaded);
  ASSERT_EQ(manifest.chunk_sha256_size(), kChunks);
  EXPECT_GT(8 * static_cast<int64_t>(manifest.ByteSizeLong()), limits::kMessageBytes);
  ASSERT_OK(Commit(manifest));
  ASSERT_OK(Control(id, WANT_PAUSE));
  std::vector<RankStatus> stopped;
  for (int rank = 0; rank < 8; ++rank) {
    stopped.push_back(Says(id, RANK_PHASE_STOPPED, 10));
    stopped.back().set_rank(rank);
  }
  ASSERT_OK(Heartbeat("w0", stopped));
  ASSERT_OK(Control(id, WANT_RUN));

  ASSERT_OK_AND_ASSIGN(const HeartbeatReply order, Heartbeat("w0"));
  ASSERT_EQ(order.gangs_size(), 1);
  EXPECT_EQ(order.gangs(0).ranks_size(), 8);
  EXPECT_EQ(order.gangs(0).common().generation(), 2);
  EXPECT_EQ(order.gangs(0).common().resume_step(), 10);
  EXPECT_LT(order.ByteSizeLong(), 4096u);

  GetChunksRequest request;
  request.set_job_id(id);
  request.set_step(order.gangs(0).common().resume_step());
  grpc::ClientContext context;
  SetDeadline(&context, absl::Seconds(20));
  const auto reader = chunks_->GetChunks(&context, request);
  GetChunksReply reply;
  std::string back;
  while (reader->Read(&reply)) {
    if (reply.index() == 0) {
      EXPECT_EQ(reply.manifest().SerializeAsString(), manifest.SerializeAsString());
    }
    back += reply.bytes();
  }
  EXPECT_OK(FromGrpc(reader->Finish()));
  EXPECT_EQ(back, bytes);
}

TEST_F(ServicesBoundsTest, NamesOfMetricsHaveABoundOverAJobsLife) {
  const std::string id = RunJob();
  const auto report = [&](int begin, int end) {
    ReportStepsRequest request;
    request.set_job_id(id);
    request.set_generation(1);
    for (int name = begin; name < end; ++name) {
      if ((name - begin) % limits::kMetricNames == 0) request.add_steps()->set_step(1 + name);
      (*request.mutable_steps(request.steps_size() - 1)->mutable_stats())[absl::StrCat("stat/", name)] = 1;
    }
    return Report(request);
  };
  EXPECT_OK(report(0, limits::kMetricNamesPerJob));
  EXPECT_THAT(report(limits::kMetricNamesPerJob, limits::kMetricNamesPerJob + 1), StatusIs(kInvalid, "at most 1024"));
  EXPECT_OK(report(5, 6)) << "known ones go on";
  EXPECT_THAT(exported_.Text(), Not(HasSubstr("stat/1024"))) << "a refused name is no label";
}

TEST_F(ServicesBoundsTest, MetricsWithTheLongestNamesComeBackInMessagesOfTheirBound) {
  const std::string id = RunJob();
  ReportStepsRequest report;
  report.set_job_id(id);
  report.set_generation(1);
  constexpr int kSteps = 90;
  for (int step = 1; step <= kSteps; ++step) {
    StepMetrics* metrics = report.add_steps();
    metrics->set_step(step);
    for (int i = 0; i < limits::kMetricNames; ++i) {
      std::string name = absl::StrCat("stat/", i, "/");
      name.resize(limits::kMetricNameBytes, 'n');
      (*metrics->mutable_stats())[name] = step;
    }
  }
  ASSERT_OK(Report(report));
  MetricsRequest request;
  request.set_job_id(id);
  grpc::ClientContext context;
  SetDeadline(&context, absl::Seconds(20));
  const auto stream = coordinator_->Metrics(&context, request);
  MetricsReply reply;
  int64_t next = 1;
  int messages = 0;
  for (; stream->Read(&reply); ++messages) {
    EXPECT_LE(static_cast<int64_t>(reply.ByteSizeLong()), limits::kPageBytes);
    for (const StepMetrics& step : reply.steps()) EXPECT_EQ(step.step(), next++);
  }
  EXPECT_OK(FromGrpc(stream->Finish()));
  EXPECT_EQ(next, kSteps + 1);
  EXPECT_EQ(messages, 2);
}

TEST_F(ServicesBoundsTest, AStatusThatCannotBeTakenHidesNoOther) {
  ASSERT_OK(Register("w0", 2));
  ASSERT_OK_AND_ASSIGN(const std::string id, Submit(ScriptJob(2), "run"));
  RankStatus odd = Says(id, RANK_PHASE_TRAINING, 5);
  odd.set_store_address(std::string(limits::kAddressBytes + 1, 'a'));
  RankStatus good = Says(id, RANK_PHASE_TRAINING, 6);
  good.set_rank(1);
  ASSERT_OK(Heartbeat("w0", {odd, good}));
  ASSERT_OK_AND_ASSIGN(const Job job, Get(id));
  ASSERT_EQ(job.ranks_size(), 1);
  EXPECT_EQ(job.ranks(0).rank(), 1);
  EXPECT_THAT(exported_.Text(), HasSubstr("mimeo_coordinator_rank_statuses_refused_total 1"));
}

// A goodbye's statuses are checked as a heartbeat's are. None that is refused, or of a gang that is not this worker's,
// ends a job.
TEST_F(ServicesBoundsTest, AGoodbyesOddStatusesChangeNothingAndKeepNobody) {
  const std::string id = RunJob();
  RankStatus odd = Says(id, RANK_PHASE_COMPLETED, 5);
  odd.set_dataset_digest("\x1b[2J");
  RankStatus fenced = Says(id, RANK_PHASE_COMPLETED, 5);
  fenced.set_generation(7);
  RankStatus negative = Says(id, RANK_PHASE_COMPLETED, 5);
  negative.set_generation(-1);
  const RankStatus unknown = Says("j99", RANK_PHASE_COMPLETED, 5);
  ASSERT_OK(Leave("w0", {odd, fenced, negative, unknown, unknown}));
  ASSERT_OK_AND_ASSIGN(const Job job, Get(id));
  EXPECT_EQ(job.state(), JOB_STATE_PENDING);
  EXPECT_EQ(job.reason(), "moves: w0 left");
  EXPECT_THAT(core_.StateForTest(), AllOf(HasSubstr(" data= "), Not(HasSubstr("worker "))))
      << "no digest was pinned, and the worker is gone";
  EXPECT_THAT(exported_.Text(), HasSubstr("mimeo_coordinator_rank_statuses_refused_total 3"))
      << "the odd, the negative and the second";
}

TEST_F(ServicesBoundsTest, AGoodbyeTakesNoMoreStatusesThanThereAreRanks) {
  const std::string id = RunJob();
  std::vector<RankStatus> statuses;
  for (int rank = 0; rank < limits::kRanksPerJob; ++rank) {
    statuses.push_back(Says("j99", RANK_PHASE_COMPLETED, 5)), statuses.back().set_rank(rank);
  }
  statuses.push_back(Says(id, RANK_PHASE_COMPLETED, 5));
  ASSERT_OK(Leave("w0", statuses));
  ASSERT_OK_AND_ASSIGN(const Job job, Get(id));
  EXPECT_EQ(job.state(), JOB_STATE_PENDING);
  EXPECT_THAT(exported_.Text(), HasSubstr("mimeo_coordinator_rank_statuses_refused_total 1"));
}

TEST_F(ServicesBoundsTest, AGoodbyeSpeaksForNoOtherWorkersRanks) {
  const std::string id = RunJob();
  ASSERT_OK(Register("w1", 1));
  ASSERT_OK(Leave("w1", {Says(id, RANK_PHASE_COMPLETED, 5)}));
  ASSERT_OK(Heartbeat("w0"));
  ASSERT_OK_AND_ASSIGN(const Job job, Get(id));
  EXPECT_EQ(job.state(), JOB_STATE_RUNNING);
  EXPECT_EQ(job.ranks_size(), 0);
  EXPECT_EQ(job.step(), 0);
}

// Bytes that are no text cannot be read as a message. Its agent leaves them out (worker/coordinator_session.h) and says
// goodbye all the same.
TEST_F(ServicesBoundsTest, AGoodbyeThatIsNotUtf8OrOfAnotherIncarnationChangesNothing) {
  const std::string id = RunJob();
  const std::string before = core_.StateForTest();
  RankStatus odd = Says(id, RANK_PHASE_COMPLETED, 5);
  odd.set_message("caf\xe9");
  EXPECT_FALSE(Leave("w0", {odd}).ok());
  EXPECT_THAT(Leave("w0", {Says(id, RANK_PHASE_COMPLETED, 5)}, "0"),
              StatusIs(absl::StatusCode::kFailedPrecondition, "a newer incarnation of w0"));
  EXPECT_EQ(core_.StateForTest(), before);
  EXPECT_OK(Heartbeat("w0"));
  ASSERT_OK(Leave("w0", {Says(id, RANK_PHASE_COMPLETED, 5)}));
  ASSERT_OK_AND_ASSIGN(const Job job, Get(id));
  EXPECT_EQ(job.state(), JOB_STATE_SUCCEEDED) << "what it says of its own rank counts";
}

// The first contract that a rank reports is the job's, whatever comes later and over a restart.
TEST_F(ServicesBoundsTest, ATeachersContractIsPinnedAtItsFirstUse) {
  ASSERT_OK(Register("w0", 2));
  JobSpec spec = ScriptJob(2);
  spec.add_objective()->mutable_mimic()->set_teacher("clip");
  ASSERT_OK_AND_ASSIGN(const std::string id, Submit(spec, "run"));
  TeacherHeartbeatRequest teacher;
  teacher.set_name("clip");
  teacher.set_incarnation("1");
  teacher.set_address("127.0.0.1:9");
  *teacher.mutable_build() = ThisBuild();
  ASSERT_OK(Call(cluster_.get(), &Cluster::Stub::TeacherHeartbeat, teacher));
  RankStatus status = Says(id, RANK_PHASE_TRAINING, 5);
  TeacherContract* contract = status.add_teachers();
  contract->set_name("clip");
  contract->set_weights_digest(std::string(64, 'a'));
  contract->set_feature_width(768);
  ASSERT_OK_AND_ASSIGN(const HeartbeatReply order, Heartbeat("w0", {status}));
  ASSERT_EQ(order.gangs_size(), 1);
  ASSERT_EQ(order.gangs(0).common().pinned_teachers_size(), 1) << "at once";
  EXPECT_EQ(order.gangs(0).common().pinned_teachers(0).SerializeAsString(), contract->SerializeAsString());

  contract->set_weights_digest(std::string(64, 'b'));
  ASSERT_OK_AND_ASSIGN(const HeartbeatReply later, Heartbeat("w0", {status}));
  EXPECT_EQ(later.gangs(0).common().pinned_teachers(0).weights_digest(), std::string(64, 'a'));
  CoordinatorCore again(store_.get(), Clock::Real(), &metrics_, SchedulerOptions());
  ASSERT_OK(again.Recover());
  ASSERT_OK_AND_ASSIGN(const Job job, again.GetJob(id));
  ASSERT_EQ(job.teachers_size(), 1);
  EXPECT_EQ(job.teachers(0).weights_digest(), std::string(64, 'a'));
  again.Close();
}

}  // namespace
}  // namespace mimeo
