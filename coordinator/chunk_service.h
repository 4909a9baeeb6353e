// The gRPC service ChunkStore (proto/checkpoint.proto), by which ranks send the bytes of checkpoints and ranks and
// clients fetch them. gRPC calls it on its threads, one thread for each stream, and a method blocks while the disk or
// the other side is slow. Thread-safe.
//
// Of each stream one chunk is in memory. At most kStreams streams are open at one time, and a further one ends with
// ResourceExhausted: that leaves threads of the server for heartbeats.
#pragma once

#include "base/limits.h"
#include "coordinator/coordinator.h"
#include "coordinator/stream_limit.h"
#include "proto/checkpoint.grpc.pb.h"

namespace mimeo {

class ChunkService final : public ChunkStore::Service {
 public:
  static constexpr int kStreams = limits::kRpcThreads / 2;

  // `core` must outlive the service.
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
