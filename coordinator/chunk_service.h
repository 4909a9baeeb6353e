// The ChunkStore service (proto/checkpoint.proto): checkpoint bytes in and out. Thread-safe. One chunk in memory per
// stream, and at most kStreams at once.
#pragma once

#include "base/limits.h"
#include "coordinator/coordinator.h"
#include "coordinator/stream_limit.h"
#include "proto/checkpoint.grpc.pb.h"

namespace mimeo {

class ChunkService final : public ChunkStore::Service {
 public:
  static constexpr int kStreams = limits::kRpcThreads / 2;

  explicit ChunkService(CoordinatorCore* core) : core_(core) {}

  grpc::Status PutChunks(grpc::ServerContext*, grpc::ServerReader<PutChunksRequest>* reader,
                         PutChunksReply* reply) override;
  grpc::Status GetChunks(grpc::ServerContext*, const GetChunksRequest* request,
                         grpc::ServerWriter<GetChunksReply>* writer) override;

 private:
  absl::Status Put(const PutChunksRequest& request);
  absl::StatusOr<CheckpointManifest> FindManifest(const GetChunksRequest& request);
  absl::Status SendChunks(const CheckpointManifest& manifest, int first_index,
                          grpc::ServerWriter<GetChunksReply>* writer);

  CoordinatorCore* const core_;
  StreamLimit streams_{kStreams};
};

}  // namespace mimeo
