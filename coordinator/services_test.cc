// The three services over a real channel: what clients, agents and ranks see of the coordinator.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/build_info.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/rpc/rpc.h"
#include "base/testing/status_matchers.h"
#include "base/version.h"
#include "coordinator/coordinator_service.h"
#include "coordinator/testing/cluster_script.h"
#include "coordinator/testing/services_fixture.h"

namespace mimeo {
namespace {

using ::testing::HasSubstr;
using testing::Says;
using testing::ServicesTest;
using testing::StatusIs;

TEST_F(ServicesTest, ASubmittedJobIsResolvedListedAndExplained) {
  const auto id = Submit(testing::ScriptJob(2), "first");
  ASSERT_OK(id);
  EXPECT_EQ(*Submit(testing::ScriptJob(2), "first"), *id);
  ASSERT_OK_AND_ASSIGN(const Job job, Get(*id));
  EXPECT_EQ(job.state(), JOB_STATE_PENDING);
  EXPECT_EQ(job.spec().encoder().vit().mlp_ratio(), 4) << "defaults are written out";
  EXPECT_GT(job.submitted().seconds(), 1600000000);
  ASSERT_OK(Submit(testing::ScriptJob(1), "second"));
  ASSERT_OK_AND_ASSIGN(const ListJobsReply list,
                       Call(coordinator_.get(), &Coordinator::Stub::ListJobs, ListJobsRequest()));
  ASSERT_EQ(list.jobs_size(), 2);
  EXPECT_EQ(list.jobs(1).id(), *id) << "newest first";
  GetJobRequest request;
  request.set_job_id(*id);
  ASSERT_OK_AND_ASSIGN(const ExplainReply why, Call(coordinator_.get(), &Coordinator::Stub::Explain, request));
  EXPECT_THAT(why.reasons(0), HasSubstr("needs 2 slots"));
}

TEST_F(ServicesTest, ABadSpecIsRefusedWithEveryProblem) {
  JobSpec spec = testing::ScriptJob(4);
  spec.mutable_data()->set_global_batch(6);
  spec.mutable_encoder()->mutable_vit()->set_patch_px(7);
  const absl::Status refused = Submit(spec, "bad").status();
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kInvalidArgument, "data.global_batch"));
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kInvalidArgument, "patch_px"));
  EXPECT_THAT(Submit(testing::ScriptJob(1), "").status(), StatusIs(absl::StatusCode::kInvalidArgument, "request_id"));
  EXPECT_THAT(Submit(testing::ScriptJob(1), std::string(65, 'r')).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, "request_id"));
}

TEST_F(ServicesTest, UnknownJobsAreNamed) {
  EXPECT_THAT(Get("j7").status(), StatusIs(absl::StatusCode::kNotFound, "j7"));
  EXPECT_THAT(Control("j7", WANT_PAUSE).status(), StatusIs(absl::StatusCode::kNotFound, "j7"));
  GetChunksRequest request;
  request.set_job_id("j7");
  grpc::ClientContext context;
  GetChunksReply reply;
  const auto reader = chunks_->GetChunks(&context, request);
  EXPECT_FALSE(reader->Read(&reply));
  EXPECT_THAT(FromGrpc(reader->Finish()), StatusIs(absl::StatusCode::kNotFound, "j7"));
}

TEST_F(ServicesTest, AWatcherSeesEveryChangeUntilTheEnd) {
  const std::string id = RunJob();
  GetJobRequest request;
  request.set_job_id(id);
  grpc::ClientContext context;
  SetDeadline(&context, absl::Seconds(20));
  const auto stream = coordinator_->WatchJob(&context, request);
  Job job;
  ASSERT_TRUE(stream->Read(&job));
  EXPECT_EQ(job.state(), JOB_STATE_RUNNING);
  RankStatus status = Says(id, RANK_PHASE_TRAINING, 5);
  status.set_waiting_for("teacher clip");
  ASSERT_OK(Heartbeat("w0", {status}));
  ASSERT_TRUE(stream->Read(&job));
  EXPECT_EQ(job.step(), 5);
  EXPECT_EQ(job.ranks(0).pid(), 4711);
  EXPECT_EQ(job.ranks(0).waiting_for(), "teacher clip");
  ASSERT_OK(Control(id, WANT_CANCEL));
  while (stream->Read(&job)) {
  }
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(job.state(), JOB_STATE_CANCELLED);
}

TEST_F(ServicesTest, WatchersAreReleasedWhenTheCoordinatorCloses) {
  const std::string id = RunJob();
  GetJobRequest request;
  request.set_job_id(id);
  grpc::ClientContext context;
  SetDeadline(&context, absl::Seconds(20));
  const auto stream = coordinator_->WatchJob(&context, request);
  Job job;
  ASSERT_TRUE(stream->Read(&job));
  core_.Close();
  EXPECT_FALSE(stream->Read(&job));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ServicesTest, StepsAndEvaluationsComeBackInOrderAndAreFollowedToTheEnd) {
  const std::string id = RunJob();
  ReportStepsRequest report;
  report.set_job_id(id);
  report.set_generation(1);
  for (int64_t step = 1; step <= 700; ++step) {
    StepMetrics* metrics = report.add_steps();
    metrics->set_step(step);
    (*metrics->mutable_terms())["pixels"] = 1.0 / static_cast<double>(step);
    if (report.steps_size() < limits::kStepsPerReport && step != 700) continue;
    ASSERT_OK(Call(cluster_.get(), &Cluster::Stub::ReportSteps, report));
    report.clear_steps();
  }
  report.add_evaluations()->set_step(700);
  ASSERT_OK(Call(cluster_.get(), &Cluster::Stub::ReportSteps, report));

  MetricsRequest request;
  request.set_job_id(id);
  request.set_after_step(100);
  request.set_follow(true);
  grpc::ClientContext context;
  SetDeadline(&context, absl::Seconds(20));
  const auto stream = coordinator_->Metrics(&context, request);
  std::vector<int64_t> steps;
  int evaluations = 0;
  bool cancelled = false;
  MetricsReply reply;
  while (stream->Read(&reply)) {
    EXPECT_LE(reply.steps_size(), limits::kStepsPerReport);
    for (const StepMetrics& step : reply.steps()) steps.push_back(step.step());
    evaluations += reply.evaluations_size();
    if (evaluations == 0 || cancelled) continue;
    cancelled = true;
    ASSERT_OK(Control(id, WANT_CANCEL));
  }
  EXPECT_TRUE(stream->Finish().ok());
  ASSERT_EQ(steps.size(), 600u);
  EXPECT_EQ(steps.front(), 101);
  EXPECT_EQ(steps.back(), 700);
  EXPECT_EQ(evaluations, 1);
  EXPECT_EQ(Get(id)->step(), 700);
  EXPECT_THAT(exported_.Text(), HasSubstr("mimeo_coordinator_steps_reported_total 700"));
}

TEST_F(ServicesTest, AReportOverItsLimitOrOfAFencedGenerationIsRefused) {
  const std::string id = RunJob();
  ReportStepsRequest report;
  report.set_job_id(id);
  report.set_generation(1);
  for (int i = 0; i <= limits::kStepsPerReport; ++i) report.add_steps()->set_step(i + 1);
  EXPECT_THAT(Call(cluster_.get(), &Cluster::Stub::ReportSteps, report).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, "501"));
  report.clear_steps();
  report.set_generation(0);
  EXPECT_THAT(Call(cluster_.get(), &Cluster::Stub::ReportSteps, report).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition, "fenced by 1"));
  EXPECT_THAT(exported_.Text(), HasSubstr("mimeo_coordinator_fenced_requests_total 1"));
  EXPECT_THAT(exported_.Text(), HasSubstr("mimeo_coordinator_rpc_errors_total 2"));
}

TEST_F(ServicesTest, WorkersAndTeachersAreListedWithTheirSilence) {
  RunJob();
  ASSERT_OK(Register("w1", 4));
  TeacherHeartbeatRequest teacher;
  teacher.set_name("clip");
  teacher.set_incarnation("1");
  teacher.set_address("127.0.0.1:9");
  *teacher.mutable_build() = ThisBuild();
  ASSERT_OK(Call(cluster_.get(), &Cluster::Stub::TeacherHeartbeat, teacher));
  ASSERT_OK_AND_ASSIGN(const auto workers,
                       Call(coordinator_.get(), &Coordinator::Stub::ListWorkers, ListWorkersRequest()));
  ASSERT_EQ(workers.workers_size(), 2);
  EXPECT_EQ(workers.workers(0).slots_busy(), 1);
  EXPECT_EQ(workers.workers(1).slots_busy(), 0);
  EXPECT_FALSE(workers.workers(1).lease_expired());
  EXPECT_LT(workers.workers(1).silent_for().seconds(), 20);
  ASSERT_OK_AND_ASSIGN(const auto teachers,
                       Call(coordinator_.get(), &Coordinator::Stub::ListTeachers, ListTeachersRequest()));
  ASSERT_EQ(teachers.teachers_size(), 1);
  EXPECT_EQ(teachers.teachers(0).address(), "127.0.0.1:9");
}

TEST_F(ServicesTest, AnAgentThatIsUnknownOrReplacedIsToldSo) {
  EXPECT_THAT(Heartbeat("w0").status(), StatusIs(absl::StatusCode::kNotFound, "w0"));
  RegisterWorkerRequest request;
  request.mutable_worker()->set_id("w0");
  request.mutable_worker()->set_incarnation("2");
  request.mutable_worker()->set_slots(1);
  *request.mutable_worker()->mutable_build() = ThisBuild();
  ASSERT_OK_AND_ASSIGN(const auto reply, Call(cluster_.get(), &Cluster::Stub::RegisterWorker, request));
  EXPECT_EQ(reply.lease().seconds(), 60);
  EXPECT_THAT(Heartbeat("w0").status(), StatusIs(absl::StatusCode::kFailedPrecondition, "newer incarnation"));
}

// A build of another protocol version, or one that does not say what it is, is refused with both versions.
TEST_F(ServicesTest, WhoSpeaksAnotherProtocolVersionIsRefused) {
  for (const int protocol : {0, kProtocolVersion + 1}) {
    BuildInfo build;
    if (protocol > 0) build.set_version("9.9.9");
    build.set_protocol(protocol);
    RegisterWorkerRequest worker;
    worker.mutable_worker()->set_id("w0");
    worker.mutable_worker()->set_incarnation("1");
    worker.mutable_worker()->set_slots(1);
    if (protocol > 0) *worker.mutable_worker()->mutable_build() = build;
    const absl::Status registered = Call(cluster_.get(), &Cluster::Stub::RegisterWorker, worker).status();
    EXPECT_THAT(registered, StatusIs(absl::StatusCode::kFailedPrecondition, absl::StrCat("protocol ", protocol, ")")));
    EXPECT_THAT(registered, StatusIs(absl::StatusCode::kFailedPrecondition, VersionText()));
    TeacherHeartbeatRequest teacher;
    teacher.set_name("clip");
    teacher.set_incarnation("1");
    teacher.set_address("127.0.0.1:9");
    if (protocol > 0) *teacher.mutable_build() = build;
    EXPECT_THAT(Call(cluster_.get(), &Cluster::Stub::TeacherHeartbeat, teacher).status(),
                StatusIs(absl::StatusCode::kFailedPrecondition, absl::StrCat("protocol ", protocol, ")")));
  }
  ASSERT_OK_AND_ASSIGN(const auto workers,
                       Call(coordinator_.get(), &Coordinator::Stub::ListWorkers, ListWorkersRequest()));
  EXPECT_EQ(workers.workers_size(), 0);
  ASSERT_OK(Register("w1", 1));
  ASSERT_OK_AND_ASSIGN(const auto listed,
                       Call(coordinator_.get(), &Coordinator::Stub::ListWorkers, ListWorkersRequest()));
  EXPECT_EQ(listed.workers(0).identity().build().version(), Version());
}

TEST_F(ServicesTest, ACheckpointGoesInAndComesOutByteForByte) {
  const std::string id = RunJob();
  std::string bytes;
  for (int i = 0; i < 5000; ++i) bytes.push_back(static_cast<char>(i * 31));
  absl::Status uploaded;
  const CheckpointManifest manifest = Upload(id, 10, bytes, &uploaded);
  ASSERT_OK(uploaded);
  EXPECT_EQ(Get(id)->checkpoint_step(), 0) << "no manifest, no checkpoint";
  ASSERT_OK(Commit(manifest));
  ASSERT_OK(Commit(manifest)) << "again";
  EXPECT_EQ(Get(id)->checkpoint_step(), 10);

  for (const int first : {0, 3}) {
    GetChunksRequest request;
    request.set_job_id(id);
    request.set_first_index(first);
    grpc::ClientContext context;
    SetDeadline(&context, absl::Seconds(20));
    const auto reader = chunks_->GetChunks(&context, request);
    GetChunksReply reply;
    std::string back;
    for (int index = first; reader->Read(&reply); ++index) {
      EXPECT_EQ(reply.index(), index);
      EXPECT_EQ(reply.has_manifest(), index == first);
      back += reply.bytes();
    }
    EXPECT_TRUE(reader->Finish().ok());
    EXPECT_EQ(back, bytes.substr(first * 1024));
  }
  ListCheckpointsRequest request;
  request.set_job_id(id);
  ASSERT_OK_AND_ASSIGN(const auto list, Call(coordinator_.get(), &Coordinator::Stub::ListCheckpoints, request));
  ASSERT_EQ(list.manifests_size(), 1);
  EXPECT_EQ(list.manifests(0).step(), 10);
  EXPECT_EQ(list.manifests(0).total_bytes(), 5000);
  EXPECT_EQ(list.manifests(0).chunk_sha256_size(), 0) << "a list is for people";
  EXPECT_THAT(exported_.Text(), HasSubstr("mimeo_coordinator_chunk_bytes_total 5000"));
}

TEST_F(ServicesTest, ChunksThatAreRefused) {
  const std::string id = RunJob();
  PutChunksRequest good;
  good.set_job_id(id);
  good.set_step(10);
  good.set_content_id("u10");
  good.set_bytes("weights");
  good.set_sha256(Sha256("weights"));
  ASSERT_OK(PutOne(good));
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  PutChunksRequest bad = good;
  bad.set_bytes("other bytes");
  EXPECT_THAT(PutOne(bad), StatusIs(kInvalid, "sha256"));
  bad = good;
  bad.set_bytes(std::string(limits::kChunkBytes + 1, 'x'));
  bad.set_sha256(Sha256(bad.bytes()));
  EXPECT_THAT(PutOne(bad), StatusIs(kInvalid, "at most 1048576"));
  bad = good;
  bad.set_index(1 << 20);
  EXPECT_THAT(PutOne(bad), StatusIs(kInvalid, "index"));
  bad = good;
  bad.set_step(0);
  EXPECT_THAT(PutOne(bad), StatusIs(kInvalid, "step"));
  bad = good;
  bad.clear_content_id();
  EXPECT_THAT(PutOne(bad), StatusIs(kInvalid, "content_id"));
  ASSERT_OK(Control(id, WANT_CANCEL));
  EXPECT_THAT(PutOne(good), StatusIs(absl::StatusCode::kFailedPrecondition, "fenced"));
}

// Uploads that are begun again and again without a commit do not pile up.
TEST_F(ServicesTest, AbandonedUploadsAreDeleted) {
  const std::string id = RunJob();
  absl::Status uploaded;
  std::vector<CheckpointManifest> manifests;
  for (int64_t step = 1; step <= 12; ++step) {
    manifests.push_back(Upload(id, step, "parameters", &uploaded));
    ASSERT_OK(uploaded);
    core_.Tick();
  }
  EXPECT_THAT(Commit(manifests[0]), StatusIs(absl::StatusCode::kFailedPrecondition, "is missing"));
  EXPECT_OK(Commit(manifests[11]));
  ASSERT_OK(Control(id, WANT_CANCEL));
  core_.Tick();
  int chunks = 0;
  ASSERT_OK(store_->Scan(Family::kChunks, "", "", [&](absl::string_view, absl::string_view) { return ++chunks > 0; }));
  EXPECT_EQ(chunks, 1) << "only the committed one's is left";
}

// What counts is when an upload was begun: one with a step that is far too high takes nobody's place.
TEST_F(ServicesTest, AStrayHigherStepEvictsNoUpload) {
  const std::string id = RunJob();
  absl::Status uploaded;
  for (int64_t stray = 0; stray < 3; ++stray) {
    Upload(id, 900000 + stray, "stray", &uploaded);
    ASSERT_OK(uploaded);
  }
  const int64_t begun = limits::kUncommittedUploads + 4;
  for (int64_t step = 1; step <= begun; ++step) {
    const CheckpointManifest manifest = Upload(id, step, "parameters", &uploaded);
    ASSERT_OK(uploaded);
    core_.Tick();
    if (step == begun) {
      EXPECT_OK(Commit(manifest));
    }
  }
  ASSERT_OK_AND_ASSIGN(const std::vector<mimeo::Upload> left, core_.checkpoints().ListUncommitted(id));
  ASSERT_EQ(left.size(), limits::kUncommittedUploads - 1u);
  EXPECT_EQ(left.front().step, begun - limits::kUncommittedUploads + 1);
  EXPECT_EQ(left.back().step, begun - 1);
}

// Watchers beyond the limit are refused, and those that leave make room: heartbeats always find a thread.
TEST_F(ServicesTest, WatchersAreLimited) {
  const std::string id = RunJob();
  GetJobRequest request;
  request.set_job_id(id);
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<Job>>> watchers;
  Job job;
  for (int i = 0; i <= CoordinatorService::kWatchers; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    watchers.push_back(coordinator_->WatchJob(contexts.back().get(), request));
    EXPECT_EQ(watchers.back()->Read(&job), i < CoordinatorService::kWatchers) << i;
  }
  EXPECT_EQ(watchers.back()->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_OK(Heartbeat("w0"));
  for (int i = 0; i < CoordinatorService::kWatchers; ++i) contexts[i]->TryCancel();
  for (int i = 0; i < CoordinatorService::kWatchers; ++i) watchers[i]->Finish();
}

// Clients that never read cost a thread and a message each, and nobody else waits for them.
TEST_F(ServicesTest, AClientThatNeverReadsHoldsNobodyUp) {
  const std::string id = RunJob();
  std::string bytes(limits::kChunkBytes, 'w');
  absl::Status uploaded;
  ASSERT_OK(Commit(Upload(id, 1, bytes, &uploaded)));
  GetJobRequest watch;
  watch.set_job_id(id);
  GetChunksRequest get;
  get.set_job_id(id);
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<Job>>> watchers;
  std::vector<std::unique_ptr<grpc::ClientReader<GetChunksReply>>> readers;
  for (int i = 0; i < 8; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    watchers.push_back(coordinator_->WatchJob(contexts.back().get(), watch));
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    readers.push_back(chunks_->GetChunks(contexts.back().get(), get));
  }
  for (int64_t step = 1; step <= 50; ++step) ASSERT_OK(Heartbeat("w0", {Says(id, RANK_PHASE_TRAINING, step)}));
  EXPECT_EQ(Get(id)->step(), 50);
  for (const auto& context : contexts) context->TryCancel();
  for (const auto& watcher : watchers) watcher->Finish();
  for (const auto& reader : readers) reader->Finish();
}

}  // namespace
}  // namespace mimeo
