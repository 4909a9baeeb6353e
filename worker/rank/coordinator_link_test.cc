// The link against the real coordinator, as a child process that is really killed.
#include "worker/rank/coordinator_link.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/rpc/rpc.h"
#include "base/testing/status_matchers.h"
#include "worker/rank/testing/coordinator_process.h"

namespace mimeo {
namespace {

using ::mimeo::testing::StatusIs;

absl::Time Soon() { return Clock::Real()->Now() + absl::Seconds(20); }

StepMetrics Step(int64_t step) {
  StepMetrics metrics;
  metrics.set_step(step);
  metrics.set_loss(1.0 / static_cast<double>(step));
  return metrics;
}

CheckpointManifest Manifest(int64_t step) {
  CheckpointManifest manifest;
  manifest.set_step(step);
  manifest.mutable_position()->set_batch(step);
  return manifest;
}

// Bytes that differ in every chunk.
std::string Stream(int64_t bytes) {
  std::string stream(static_cast<size_t>(bytes), '\0');
  uint32_t state = static_cast<uint32_t>(bytes);
  for (char& byte : stream) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<char>(state >> 24);
  }
  return stream;
}

std::function<std::string()> Giving(const std::string& stream) {
  return [stream] { return stream; };
}

class CoordinatorLinkTest : public ::testing::Test {
 protected:
  std::unique_ptr<CoordinatorLink> Open(int64_t generation = 1) {
    return CoordinatorLink::Open(ChannelOptions(), coordinator_.address(), job_, generation);
  }
  absl::StatusOr<std::string> Download(int64_t step, absl::Time deadline) {
    return DownloadCheckpoint(ChannelOptions(), coordinator_.address(), job_, step, deadline, [](int64_t) {});
  }

  testing::CoordinatorProcess coordinator_;
  const std::string job_ = coordinator_.PlaceJob();
};

TEST_F(CoordinatorLinkTest, NumbersArrive) {
  const auto link = Open();
  for (int64_t step = 1; step <= 3 * limits::kStepsPerReport + 1; ++step) link->ReportStep(Step(step));
  EvaluationResult evaluation;
  evaluation.set_step(7);
  (*evaluation.mutable_values())["knn_accuracy"] = 0.5;
  link->ReportEvaluation(evaluation);
  EXPECT_OK(link->Drain(Soon()));
  const auto steps = coordinator_.Steps(job_);
  ASSERT_EQ(steps.size(), 3u * limits::kStepsPerReport + 1);
  for (size_t i = 0; i < steps.size(); ++i) ASSERT_EQ(steps[i].step(), static_cast<int64_t>(i) + 1);
  EXPECT_EQ(steps[3].loss(), 0.25);
  const auto evaluations = coordinator_.Evaluations(job_);
  ASSERT_EQ(evaluations.size(), 1u);
  EXPECT_EQ(evaluations[0].values().at("knn_accuracy"), 0.5);
}

TEST_F(CoordinatorLinkTest, ACheckpointIsCommittedAndComesBackByteForByte) {
  const auto link = Open();
  EXPECT_EQ(link->committed_step(), 0);
  EXPECT_EQ(link->checkpoint_time(), absl::ZeroDuration());
  const std::string stream = Stream(2 * limits::kChunkBytes + 12345);
  CheckpointManifest paused = Manifest(10);
  paused.set_pause_seconds(3);
  link->SubmitCheckpoint(paused, Giving(stream));
  EXPECT_OK(link->Drain(Soon()));
  EXPECT_EQ(link->committed_step(), 10);
  EXPECT_GT(link->checkpoint_time(), absl::Seconds(3)) << "its pause and its upload";
  EXPECT_LT(link->checkpoint_time(), absl::Seconds(20));
  const auto manifests = coordinator_.Checkpoints(job_);
  ASSERT_EQ(manifests.size(), 1u);
  EXPECT_EQ(manifests[0].step(), 10);
  EXPECT_EQ(manifests[0].generation(), 1);
  EXPECT_EQ(manifests[0].position().batch(), 10);
  EXPECT_EQ(manifests[0].total_bytes(), static_cast<int64_t>(stream.size()));
  ASSERT_OK_AND_ASSIGN(const std::string bytes, Download(manifests[0].step(), Soon()));
  EXPECT_TRUE(bytes == stream);
}

TEST_F(CoordinatorLinkTest, WhatHappensWhileTheCoordinatorIsAwayArrivesAfterwardsAndTheNewestSnapshotWins) {
  const auto link = Open();
  link->ReportStep(Step(1));
  EXPECT_OK(link->Drain(Soon()));
  coordinator_.Kill();
  for (int64_t step = 2; step <= 40; ++step) {
    link->ReportStep(Step(step));
    if (step % 10 == 0) link->SubmitCheckpoint(Manifest(step), Giving(Stream(limits::kChunkBytes + step)));
  }
  EXPECT_THAT(link->Drain(Clock::Real()->Now() + absl::Milliseconds(100)),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_OK(link->status());
  coordinator_.Start();
  EXPECT_OK(link->Drain(Soon()));
  EXPECT_EQ(coordinator_.Steps(job_).size(), 40u);
  EXPECT_EQ(link->committed_step(), 40);
  const auto manifests = coordinator_.Checkpoints(job_);
  ASSERT_FALSE(manifests.empty());
  EXPECT_EQ(manifests[0].step(), 40);
  EXPECT_LE(manifests.size(), 2u) << "10 was under way; 20 and 30 waited behind it and were replaced";
}

TEST_F(CoordinatorLinkTest, AnUploadThatIsCutShortIsDoneAgain) {
  const auto link = Open();
  const std::string stream = Stream(32 * limits::kChunkBytes);
  link->SubmitCheckpoint(Manifest(10), Giving(stream));
  coordinator_.Kill();  // before, amid or after the chunks: the promise is the same
  coordinator_.Start();
  EXPECT_OK(link->Drain(Soon()));
  const auto manifests = coordinator_.Checkpoints(job_);
  ASSERT_EQ(manifests.size(), 1u);
  ASSERT_OK_AND_ASSIGN(const std::string bytes, Download(manifests[0].step(), Soon()));
  EXPECT_TRUE(bytes == stream);
}

TEST_F(CoordinatorLinkTest, ASnapshotThatCannotBeWrittenIsRefusedAndTheNextOneIsTaken) {
  const auto link = Open();
  link->SubmitCheckpoint(Manifest(10),
                         []() -> absl::StatusOr<std::string> { return absl::ResourceExhaustedError("out of memory"); });
  EXPECT_THAT(link->Drain(Soon()), StatusIs(absl::StatusCode::kInvalidArgument, "out of memory"));
  link->SubmitCheckpoint(Manifest(20), Giving(Stream(1000)));
  EXPECT_OK(link->Drain(Soon()));
  EXPECT_EQ(link->committed_step(), 20);
}

TEST_F(CoordinatorLinkTest, AFencedGenerationLearnsItFromItsNumbers) {
  const auto link = Open();
  link->ReportStep(Step(1));
  EXPECT_OK(link->Drain(Soon()));
  coordinator_.ReplaceGang(job_, 1);
  link->ReportStep(Step(2));
  EXPECT_THAT(link->Drain(Soon()), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(link->status(), StatusIs(absl::StatusCode::kFailedPrecondition));
  const auto next = Open(2);
  next->ReportStep(Step(2));
  EXPECT_OK(next->Drain(Soon()));
  const auto steps = coordinator_.Steps(job_);
  ASSERT_EQ(steps.size(), 2u);
  EXPECT_EQ(steps[1].generation(), 2);
}

TEST_F(CoordinatorLinkTest, AFencedGenerationCannotCommit) {
  coordinator_.ReplaceGang(job_, 1);
  const auto link = Open();
  link->SubmitCheckpoint(Manifest(10), Giving(Stream(1000)));
  EXPECT_THAT(link->Drain(Soon()), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(link->status(), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_EQ(link->committed_step(), 0);
  EXPECT_TRUE(coordinator_.Checkpoints(job_).empty());
}

TEST_F(CoordinatorLinkTest, ItEndsAtOnceAlthoughTheCoordinatorIsAway) {
  coordinator_.Kill();
  auto link = Open();
  link->ReportStep(Step(1));
  link->SubmitCheckpoint(Manifest(10), Giving(Stream(1000)));
  EXPECT_THAT(link->Drain(Clock::Real()->Now() + absl::Milliseconds(200)),
              StatusIs(absl::StatusCode::kDeadlineExceeded));  // both calls are under way by now
  const absl::Time begin = Clock::Real()->Now();
  link.reset();
  EXPECT_LT(Clock::Real()->Now() - begin, limits::kRpcDeadline / 2);
}

TEST_F(CoordinatorLinkTest, ADownloadOutlivesTheCoordinatorsAbsence) {
  const auto link = Open();
  const std::string stream = Stream(3 * limits::kChunkBytes);
  link->SubmitCheckpoint(Manifest(10), Giving(stream));
  EXPECT_OK(link->Drain(Soon()));
  const CheckpointManifest manifest = coordinator_.Checkpoints(job_).at(0);
  coordinator_.Kill();
  EXPECT_THAT(Download(manifest.step(), Clock::Real()->Now() + absl::Milliseconds(200)),
              StatusIs(absl::StatusCode::kDeadlineExceeded, coordinator_.address()));
  coordinator_.Start();
  ASSERT_OK_AND_ASSIGN(const std::string bytes, Download(manifest.step(), Soon()));
  EXPECT_TRUE(bytes == stream);
}

TEST_F(CoordinatorLinkTest, AStepWithoutCheckpointIsNotFound) {
  const auto link = Open();
  link->SubmitCheckpoint(Manifest(10), Giving(Stream(1000)));
  EXPECT_OK(link->Drain(Soon()));
  EXPECT_THAT(Download(11, Soon()), StatusIs(absl::StatusCode::kNotFound));
}

// Refuses every message that has step 7 or evaluation 7 in it.
class ChoosyCluster : public Cluster::Service {
 public:
  grpc::Status ReportSteps(grpc::ServerContext*, const ReportStepsRequest* request, ReportStepsReply*) override {
    absl::MutexLock lock(&mu_);
    largest_ = std::max(largest_, request->ByteSizeLong());
    for (const StepMetrics& step : request->steps()) {
      if (step.step() == 7) return ToGrpc(absl::InvalidArgumentError("step 7 has too many names"));
    }
    for (const EvaluationResult& evaluation : request->evaluations()) {
      if (evaluation.step() == 7) return ToGrpc(absl::InvalidArgumentError("so has evaluation 7"));
    }
    for (const StepMetrics& step : request->steps()) steps_.insert(step.step());
    for (const EvaluationResult& evaluation : request->evaluations()) evaluations_.insert(evaluation.step());
    return grpc::Status::OK;
  }
  std::set<int64_t> steps() const {
    absl::MutexLock lock(&mu_);
    return steps_;
  }
  std::set<int64_t> evaluations() const {
    absl::MutexLock lock(&mu_);
    return evaluations_;
  }
  size_t largest() const {
    absl::MutexLock lock(&mu_);
    return largest_;
  }

 private:
  mutable absl::Mutex mu_;
  std::set<int64_t> steps_, evaluations_;
  size_t largest_ = 0;
};

TEST(ReportStepsTest, ARefusedStepHidesNoOther) {
  ChoosyCluster cluster;
  ASSERT_OK_AND_ASSIGN(const auto server, RpcServer::Start(ChannelOptions(), "127.0.0.1:0", {&cluster}));
  const auto link = CoordinatorLink::Open(ChannelOptions(), absl::StrCat("127.0.0.1:", server->port()), "j1", 1);
  std::set<int64_t> expected;
  for (int64_t step = 1; step <= 20; ++step) {
    link->ReportStep(Step(step));
    EvaluationResult evaluation;
    evaluation.set_step(step);
    link->ReportEvaluation(evaluation);
    if (step != 7) expected.insert(step);
  }
  EXPECT_OK(link->Drain(Soon()));
  EXPECT_EQ(cluster.steps(), expected);
  EXPECT_EQ(cluster.evaluations(), expected);
}

TEST(ReportStepsTest, AMessageStaysBelowItsLimitHoweverLongTheNamesAre) {
  ChoosyCluster cluster;
  ASSERT_OK_AND_ASSIGN(const auto server, RpcServer::Start(ChannelOptions(), "127.0.0.1:0", {&cluster}));
  const auto link = CoordinatorLink::Open(ChannelOptions(), absl::StrCat("127.0.0.1:", server->port()), "j1", 1);
  StepMetrics step;
  for (int i = 0; i < limits::kMetricNames; ++i) {
    (*step.mutable_terms())[absl::StrCat(i, std::string(limits::kMetricNameBytes - 4, 'x'))] = i;
  }
  for (int64_t i = 1000; i < 1500; ++i) {
    step.set_step(i);
    link->ReportStep(step);
  }
  EXPECT_OK(link->Drain(Soon()));
  EXPECT_EQ(cluster.steps().size(), 500u);
  EXPECT_LE(cluster.largest(), static_cast<size_t>(limits::kPageBytes));
}

}  // namespace
}  // namespace mimeo
