#include "worker/rank/testing/coordinator_process.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "base/build_info.h"
#include "base/clock.h"
#include "base/find_binary.h"
#include "base/process.h"
#include "base/rpc/rpc.h"

namespace mimeo::testing {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

JobSpec SmallJob() {
  JobSpec spec;
  spec.mutable_data()->set_path("photos");
  spec.mutable_data()->set_global_batch(4);
  spec.mutable_data()->set_image_px(32);
  VitSpec* vit = spec.mutable_encoder()->mutable_vit();
  vit->set_patch_px(8);
  vit->set_width(64);
  vit->set_depth(1);
  vit->set_heads(2);
  spec.add_objective()->mutable_reconstruction();
  spec.mutable_optimizer()->mutable_adamw();
  spec.mutable_schedule()->set_steps(1000);
  return spec;
}

void ExpectOk(const grpc::Status& status, const char* what) {
  EXPECT_TRUE(status.ok()) << what << ": " << status.error_message();
}

}  // namespace

void CoordinatorProcess::Start() {
  const auto binary = FindBinary("coordinator");
  ASSERT_TRUE(binary.ok()) << binary.status();
  const std::string announcement = dir_.path() + "/announcement.json";
  std::remove(announcement.c_str());
  Subprocess::Options options;
  options.argv = {*binary, absl::StrCat("--listen=", address_), absl::StrCat("--data_dir=", dir_.path(), "/state"),
                  "--metrics_listen=127.0.0.1:0", absl::StrCat("--announce=", announcement)};
  auto process = Subprocess::Start(options);
  ASSERT_TRUE(process.ok()) << process.status();
  process_ = *std::move(process);
  const auto announced = ReadAnnouncement(announcement);
  ASSERT_TRUE(announced.ok()) << announced.status();
  address_ = announced->at("address");
  coordinator_ = Coordinator::NewStub(OpenChannel(ChannelOptions(), address_));
  cluster_ = Cluster::NewStub(OpenChannel(ChannelOptions(), address_));
}

void CoordinatorProcess::Kill() {
  process_->Signal(SIGKILL);
  ASSERT_TRUE(process_->Wait(Clock::Real()->Now() + kPatience).ok());
}

std::string CoordinatorProcess::PlaceJob() {
  grpc::ClientContext submit_context;
  SetDeadline(&submit_context, kPatience);
  SubmitRequest submit;
  *submit.mutable_spec() = SmallJob();
  submit.set_request_id("test");
  SubmitReply submitted;
  ExpectOk(coordinator_->Submit(&submit_context, submit, &submitted), "Submit");
  grpc::ClientContext context;
  SetDeadline(&context, kPatience);
  RegisterWorkerRequest request;
  request.mutable_worker()->set_id("w0");
  request.mutable_worker()->set_incarnation("1");
  request.mutable_worker()->set_slots(1);
  request.mutable_worker()->set_host("127.0.0.1");
  request.mutable_worker()->add_devices()->set_device(DEVICE_CPU);
  *request.mutable_worker()->mutable_build() = ThisBuild();
  RegisterWorkerReply reply;
  ExpectOk(cluster_->RegisterWorker(&context, request, &reply), "RegisterWorker");
  const HeartbeatReply heard = Beat({});
  EXPECT_EQ(heard.gangs_size(), 1) << heard.ShortDebugString();
  return submitted.job_id();
}

HeartbeatReply CoordinatorProcess::Beat(const std::vector<RankStatus>& ranks) {
  grpc::ClientContext context;
  SetDeadline(&context, kPatience);
  HeartbeatRequest request;
  request.set_worker_id("w0");
  request.set_incarnation("1");
  for (const RankStatus& rank : ranks) *request.add_ranks() = rank;
  HeartbeatReply reply;
  ExpectOk(cluster_->Heartbeat(&context, request, &reply), "Heartbeat");
  return reply;
}

void CoordinatorProcess::ReplaceGang(const std::string& job_id, int64_t generation) {
  RankStatus failed;
  failed.set_job_id(job_id);
  failed.set_generation(generation);
  // A gang that had trained a step is placed again at once.
  failed.set_phase(RANK_PHASE_TRAINING);
  failed.set_step(1);
  Beat({failed});
  failed.set_phase(RANK_PHASE_FAILED);
  failed.set_status_code(static_cast<int>(absl::StatusCode::kUnavailable));
  failed.set_message("killed by the test");
  Beat({failed});
  const HeartbeatReply heard = Beat({});
  ASSERT_EQ(heard.gangs_size(), 1);
  ASSERT_EQ(heard.gangs(0).common().generation(), generation + 1);
}

MetricsReply CoordinatorProcess::Metrics(const std::string& job_id) {
  grpc::ClientContext context;
  SetDeadline(&context, kPatience);
  MetricsRequest request;
  request.set_job_id(job_id);
  const auto stream = coordinator_->Metrics(&context, request);
  MetricsReply all, part;
  while (stream->Read(&part)) all.MergeFrom(part);
  ExpectOk(stream->Finish(), "Metrics");
  return all;
}

std::vector<StepMetrics> CoordinatorProcess::Steps(const std::string& job_id) {
  const MetricsReply all = Metrics(job_id);
  return {all.steps().begin(), all.steps().end()};
}

std::vector<EvaluationResult> CoordinatorProcess::Evaluations(const std::string& job_id) {
  const MetricsReply all = Metrics(job_id);
  return {all.evaluations().begin(), all.evaluations().end()};
}

std::vector<CheckpointManifest> CoordinatorProcess::Checkpoints(const std::string& job_id) {
  grpc::ClientContext context;
  SetDeadline(&context, kPatience);
  ListCheckpointsRequest request;
  request.set_job_id(job_id);
  ListCheckpointsReply reply;
  ExpectOk(coordinator_->ListCheckpoints(&context, request, &reply), "ListCheckpoints");
  return {reply.manifests().begin(), reply.manifests().end()};
}

}  // namespace mimeo::testing
