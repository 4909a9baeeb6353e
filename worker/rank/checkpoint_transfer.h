// One attempt to move a checkpoint's bytes to the coordinator's chunk store. The caller, coordinator_link, tries again.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "base/rpc/cancellable_call.h"
#include "proto/checkpoint.grpc.pb.h"

namespace mimeo {

// Cuts `stream` into chunks of limits::kChunkBytes, and fills in total_bytes, chunk_bytes, chunk_sha256 and content_id.
void DescribeChunks(const std::string& stream, const std::string& content_id, CheckpointManifest* manifest);

// Streams every chunk that `manifest` names as one call of `call`, and blocks until the coordinator has answered. The
// deadline follows from the size. The errors are those of ChunkStore.PutChunks (proto); DataLoss: fewer chunks were
// stored than were sent. After an error the caller sends all of them again.
absl::Status PutChunks(ChunkStore::Stub* store, const CheckpointManifest& manifest, const std::string& stream,
                       CancellableCall* call);

}  // namespace mimeo
