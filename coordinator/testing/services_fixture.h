// A coordinator's three services behind a real channel, for tests: its core on a store in memory, and calls in short.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/build_info.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/metrics_server.h"
#include "base/rpc/rpc.h"
#include "base/testing/status_matchers.h"
#include "coordinator/chunk_service.h"
#include "coordinator/cluster_service.h"
#include "coordinator/coordinator_service.h"
#include "coordinator/testing/cluster_script.h"
#include "store/rocksdb_store.h"

namespace mimeo::testing {

class ServicesTest : public ::testing::Test {
 protected:
  ServicesTest()
      : store_(*OpenRocksDbStore({"services", true})),
        exported_(MetricOwner::kCoordinator),
        metrics_(&exported_),
        core_(store_.get(), Clock::Real(), &metrics_, SchedulerOptions()),
        coordinator_service_(&core_),
        cluster_service_(&core_),
        chunk_service_(&core_) {
    EXPECT_OK(core_.Recover());
    server_ =
        *RpcServer::Start(ChannelOptions(), "127.0.0.1:0", {&coordinator_service_, &cluster_service_, &chunk_service_});
    channel_ = OpenChannel(ChannelOptions(), absl::StrCat("127.0.0.1:", server_->port()));
    coordinator_ = Coordinator::NewStub(channel_);
    cluster_ = Cluster::NewStub(channel_);
    chunks_ = ChunkStore::NewStub(channel_);
  }
  ~ServicesTest() override { core_.Close(); }

  // One unary call.
  template <typename Stub, typename Request, typename Reply>
  absl::StatusOr<Reply> Call(Stub* stub, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
                             const Request& request) {
    grpc::ClientContext context;
    SetDeadline(&context, absl::Seconds(20));
    Reply reply;
    const absl::Status status = FromGrpc((stub->*method)(&context, request, &reply));
    if (!status.ok()) return status;
    return reply;
  }

  absl::StatusOr<std::string> Submit(const JobSpec& spec, const std::string& request_id) {
    SubmitRequest request;
    *request.mutable_spec() = spec;
    request.set_request_id(request_id);
    auto reply = Call(coordinator_.get(), &Coordinator::Stub::Submit, request);
    if (!reply.ok()) return reply.status();
    return reply->job_id();
  }
  absl::StatusOr<Job> Get(const std::string& id) {
    GetJobRequest request;
    request.set_job_id(id);
    return Call(coordinator_.get(), &Coordinator::Stub::GetJob, request);
  }
  absl::StatusOr<Job> Control(const std::string& id, Want want) {
    ControlJobRequest request;
    request.set_job_id(id);
    request.set_want(want);
    return Call(coordinator_.get(), &Coordinator::Stub::ControlJob, request);
  }
  absl::Status Register(const std::string& id, int slots) {
    RegisterWorkerRequest request;
    request.mutable_worker()->set_id(id);
    request.mutable_worker()->set_incarnation("1");
    request.mutable_worker()->set_slots(slots);
    *request.mutable_worker()->mutable_build() = ThisBuild();
    return Call(cluster_.get(), &Cluster::Stub::RegisterWorker, request).status();
  }
  absl::StatusOr<HeartbeatReply> Heartbeat(const std::string& id, const std::vector<RankStatus>& ranks = {}) {
    HeartbeatRequest request;
    request.set_worker_id(id);
    request.set_incarnation("1");
    for (const RankStatus& rank : ranks) *request.add_ranks() = rank;
    return Call(cluster_.get(), &Cluster::Stub::Heartbeat, request);
  }
  // A job of one rank that runs on w0.
  std::string RunJob() {
    EXPECT_OK(Register("w0", 1));
    const auto id = Submit(ScriptJob(1), "run");
    EXPECT_OK(id);
    EXPECT_OK(Heartbeat("w0"));
    return *id;
  }

  // `bytes` in chunks of a kilobyte, or of `chunk_bytes`; the manifest that would commit them.
  CheckpointManifest Upload(const std::string& id, int64_t step, const std::string& bytes, absl::Status* status,
                            size_t chunk_bytes = 1024) {
    CheckpointManifest manifest;
    manifest.set_job_id(id);
    manifest.set_step(step);
    manifest.set_generation(1);
    manifest.set_total_bytes(static_cast<int64_t>(bytes.size()));
    manifest.set_chunk_bytes(static_cast<int64_t>(chunk_bytes));
    manifest.set_content_id(absl::StrCat("u", step));
    grpc::ClientContext context;
    SetDeadline(&context, absl::Seconds(20));
    PutChunksReply reply;
    const auto writer = chunks_->PutChunks(&context, &reply);
    for (size_t at = 0; at < bytes.size(); at += chunk_bytes) {
      PutChunksRequest chunk;
      chunk.set_job_id(id);
      chunk.set_step(step);
      chunk.set_content_id(manifest.content_id());
      chunk.set_index(manifest.chunk_sha256_size());
      chunk.set_bytes(bytes.substr(at, chunk_bytes));
      chunk.set_sha256(Sha256(chunk.bytes()));
      manifest.add_chunk_sha256(chunk.sha256());
      if (!writer->Write(chunk)) break;
    }
    writer->WritesDone();
    *status = FromGrpc(writer->Finish());
    if (status->ok()) {
      EXPECT_EQ(reply.chunks(), manifest.chunk_sha256_size());
    }
    return manifest;
  }
  absl::Status Commit(const CheckpointManifest& manifest) {
    CommitCheckpointRequest request;
    *request.mutable_manifest() = manifest;
    return Call(cluster_.get(), &Cluster::Stub::CommitCheckpoint, request).status();
  }
  absl::Status PutOne(const PutChunksRequest& chunk) {
    grpc::ClientContext context;
    SetDeadline(&context, absl::Seconds(20));
    PutChunksReply reply;
    const auto writer = chunks_->PutChunks(&context, &reply);
    writer->Write(chunk);
    writer->WritesDone();
    return FromGrpc(writer->Finish());
  }

  const std::unique_ptr<KeyValueStore> store_;
  Metrics exported_;
  CoordinatorMetrics metrics_;
  CoordinatorCore core_;
  CoordinatorService coordinator_service_;
  ClusterService cluster_service_;
  ChunkService chunk_service_;
  std::unique_ptr<RpcServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Coordinator::Stub> coordinator_;
  std::unique_ptr<Cluster::Stub> cluster_;
  std::unique_ptr<ChunkStore::Stub> chunks_;
};

inline RankStatus Says(const std::string& job, RankPhase phase, int64_t step) {
  RankStatus status;
  status.set_job_id(job);
  status.set_generation(1);
  status.set_phase(phase);
  status.set_step(step);
  status.set_pid(4711);
  return status;
}

}  // namespace mimeo::testing
