#include "client/commands/testing/command_line.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <sstream>

#include "absl/strings/str_cat.h"
#include "base/build_info.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/find_binary.h"
#include "base/process.h"
#include "base/rpc/rpc.h"

namespace mimeo::testing {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

// One call, which the coordinator must take.
template <typename Stub, typename Request, typename Reply>
void Call(Stub* stub, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
          const Request& request, Reply* reply) {
  grpc::ClientContext context;
  SetDeadline(&context, kPatience);
  const grpc::Status status = (stub->*method)(&context, request, reply);
  ASSERT_TRUE(status.ok()) << status.error_message();
}

}  // namespace

std::string SmallRecipe(int64_t steps) {
  return absl::StrCat(
      "name: \"small\" data { path: \"/photos\" global_batch: 4 image_px: 32 } encoder { vit { patch_px: 8 width: 64 "
      "depth: 1 heads: 2 } } ",
      "objective { name: \"pixels\" reconstruction {} } optimizer { adamw {} } schedule { steps: ", steps, " }");
}

void CommandLine::StartCoordinator() {
  const auto binary = FindBinary("coordinator");
  ASSERT_TRUE(binary.ok()) << binary.status();
  const std::string announcement = dir_.path() + "/announcement.json";
  Subprocess::Options options;
  options.argv = {*binary, "--listen=127.0.0.1:0", absl::StrCat("--data_dir=", dir_.path(), "/state"),
                  "--metrics_listen=127.0.0.1:0", absl::StrCat("--announce=", announcement)};
  options.output_path = dir_.path() + "/coordinator.log";
  auto process = Subprocess::Start(options);
  ASSERT_TRUE(process.ok()) << process.status();
  coordinator_ = *std::move(process);
  const auto announced = ReadAnnouncement(announcement);
  ASSERT_TRUE(announced.ok()) << announced.status();
  address_ = announced->at("address");
  cluster_ = Cluster::NewStub(OpenChannel(ChannelOptions(), address_));
  chunks_ = ChunkStore::NewStub(OpenChannel(ChannelOptions(), address_));
}

void CommandLine::KillCoordinator() {
  coordinator_->Signal(SIGKILL);
  ASSERT_TRUE(coordinator_->Wait(Clock::Real()->Now() + kPatience).ok());
}

Outcome CommandLine::Run(const std::vector<std::string>& args) {
  Invocation invocation;
  CLI::App app{"mimeo"};
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--server", invocation.server);
  app.add_option("-o,--output", invocation.output)->check(CLI::IsMember({"table", "json", "wide", "name"}));
  add_(&app, &invocation);
  std::vector<std::string> reversed(args.rbegin(), args.rend());
  reversed.insert(reversed.end(), {address_, "--server"});
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::ParseError& error) {
    std::ostringstream out, errors;
    const int code = app.exit(error, out, errors);
    return {code == 0 ? 0 : 2, out.str(), errors.str()};
  }
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  const int code = invocation.run();
  const std::string errors = ::testing::internal::GetCapturedStderr();
  return {code, ::testing::internal::GetCapturedStdout(), errors};
}

std::string CommandLine::File(const std::string& name, const std::string& bytes) {
  const std::string path = JoinPath(dir_.path(), name);
  EXPECT_TRUE(WriteFileAtomic(path, bytes).ok());
  return path;
}

void CommandLine::RegisterWorker(const std::string& id, int slots) {
  RegisterWorkerRequest request;
  request.mutable_worker()->set_id(id);
  request.mutable_worker()->set_incarnation("1");
  request.mutable_worker()->set_slots(slots);
  request.mutable_worker()->set_host("127.0.0.1");
  request.mutable_worker()->add_devices()->set_device(DEVICE_CPU);
  *request.mutable_worker()->mutable_build() = ThisBuild();
  RegisterWorkerReply reply;
  Call(cluster_.get(), &Cluster::Stub::RegisterWorker, request, &reply);
  Beat(id);
}

void CommandLine::RegisterTeacher(const std::string& name, const std::string& address) {
  TeacherHeartbeatRequest request;
  request.set_name(name);
  request.set_incarnation("1");
  request.set_address(address);
  *request.mutable_build() = ThisBuild();
  TeacherHeartbeatReply reply;
  Call(cluster_.get(), &Cluster::Stub::TeacherHeartbeat, request, &reply);
}

HeartbeatReply CommandLine::Beat(const std::string& worker_id, const std::vector<RankStatus>& ranks) {
  HeartbeatRequest request;
  request.set_worker_id(worker_id);
  request.set_incarnation("1");
  for (const RankStatus& rank : ranks) *request.add_ranks() = rank;
  HeartbeatReply reply;
  Call(cluster_.get(), &Cluster::Stub::Heartbeat, request, &reply);
  return reply;
}

void CommandLine::ReportSteps(const std::string& job_id, int64_t steps) {
  ReportStepsRequest request;
  request.set_job_id(job_id);
  request.set_generation(1);
  for (int64_t number = 1; number <= steps; ++number) {
    StepMetrics* step = request.add_steps();
    step->set_step(number);
    step->set_loss(1.0 / static_cast<double>(number));
  }
  ReportStepsReply reply;
  Call(cluster_.get(), &Cluster::Stub::ReportSteps, request, &reply);
}

void CommandLine::CommitCheckpoint(const std::string& job_id, int64_t step, const std::string& bytes) {
  grpc::ClientContext context;
  SetDeadline(&context, kPatience);
  PutChunksReply stored;
  const auto writer = chunks_->PutChunks(&context, &stored);
  PutChunksRequest chunk;
  chunk.set_job_id(job_id);
  chunk.set_step(step);
  chunk.set_content_id("c1");
  chunk.set_sha256(Sha256(bytes));
  chunk.set_bytes(bytes);
  writer->Write(chunk);
  writer->WritesDone();
  const grpc::Status put = writer->Finish();
  ASSERT_TRUE(put.ok()) << put.error_message();
  CommitCheckpointRequest request;
  CheckpointManifest* manifest = request.mutable_manifest();
  manifest->set_job_id(job_id);
  manifest->set_generation(1);
  manifest->set_step(step);
  manifest->set_content_id("c1");
  manifest->set_total_bytes(static_cast<int64_t>(bytes.size()));
  manifest->set_chunk_bytes(static_cast<int64_t>(bytes.size()));
  manifest->add_chunk_sha256(Sha256(bytes));
  CommitCheckpointReply reply;
  Call(cluster_.get(), &Cluster::Stub::CommitCheckpoint, request, &reply);
}

}  // namespace mimeo::testing
