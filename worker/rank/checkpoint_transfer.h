// One attempt to move a checkpoint's bytes to the coordinator's chunk store. Retrying is the caller's
// (coordinator_link).
#pragma once

#include <string>

#include "absl/status/status.h"
#include "base/rpc/cancellable_call.h"
#include "proto/checkpoint.grpc.pb.h"

namespace mimeo {

// Cuts `stream` into chunks and fills in total_bytes, chunk_bytes, chunk_sha256 and content_id.
void DescribeChunks(const std::string& stream, const std::string& content_id, CheckpointManifest* manifest);

// Streams every chunk that `manifest` names, as one call of `call`; the deadline follows from its size.
// Errors: those of ChunkStore.PutChunks; DataLoss: fewer chunks were stored than sent.
absl::Status PutChunks(ChunkStore::Stub* store, const CheckpointManifest& manifest, const std::string& stream,
                       CancellableCall* call);

}  // namespace mimeo
