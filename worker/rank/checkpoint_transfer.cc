#include "worker/rank/checkpoint_transfer.h"

#include <functional>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/rpc/checkpoint_download.h"
#include "base/rpc/rpc.h"
#include "base/status_macros.h"
#include "worker/rank/coordinator_link.h"

namespace mimeo {
namespace {

absl::string_view ChunkOf(const std::string& stream, int64_t index) {
  return absl::string_view(stream).substr(static_cast<size_t>(index * limits::kChunkBytes), limits::kChunkBytes);
}

absl::Status Put(ChunkStore::Stub* store, const CheckpointManifest& manifest, const std::string& stream,
                 grpc::ClientContext* context) {
  PutChunksReply reply;
  const auto writer = store->PutChunks(context, &reply);
  for (int i = 0; i < manifest.chunk_sha256_size(); ++i) {
    PutChunksRequest request;
    request.set_job_id(manifest.job_id());
    request.set_step(manifest.step());
    request.set_content_id(manifest.content_id());
    request.set_index(i);
    const absl::string_view chunk = ChunkOf(stream, i);
    request.set_bytes(chunk.data(), chunk.size());
    request.set_sha256(manifest.chunk_sha256(i));
    if (!writer->Write(request)) break;  // Finish says why
  }
  writer->WritesDone();
  RETURN_IF_ERROR(FromGrpc(writer->Finish()));
  if (reply.chunks() == manifest.chunk_sha256_size()) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(CheckpointName(manifest), ": ", reply.chunks(), " of ",
                                          manifest.chunk_sha256_size(), " chunks were stored"));
}

}  // namespace

void DescribeChunks(const std::string& stream, const std::string& content_id, CheckpointManifest* manifest) {
  manifest->set_content_id(content_id);
  manifest->set_total_bytes(static_cast<int64_t>(stream.size()));
  manifest->set_chunk_bytes(limits::kChunkBytes);
  manifest->clear_chunk_sha256();
  for (int64_t i = 0; i * limits::kChunkBytes < manifest->total_bytes(); ++i) {
    manifest->add_chunk_sha256(Sha256(ChunkOf(stream, i)));
  }
}

absl::Status PutChunks(ChunkStore::Stub* store, const CheckpointManifest& manifest, const std::string& stream,
                       CancellableCall* call) {
  return call->Run(TransferDeadline(manifest.total_bytes()), CancellableCall::WhenAway::kWait,
                   [&](grpc::ClientContext* context) { return Put(store, manifest, stream, context); });
}

absl::StatusOr<std::string> DownloadCheckpoint(const ChannelOptions& channels, const std::string& coordinator_address,
                                               const std::string& job_id, int64_t step, absl::Time deadline,
                                               const std::function<void(int64_t)>& on_bytes) {
  std::string bytes;
  RETURN_IF_ERROR(
      DownloadChunks({channels, coordinator_address, job_id, step, deadline}, [&](const CheckpointManifest& manifest,
                                                                                  absl::string_view chunk) {
        bytes.reserve(static_cast<size_t>(manifest.total_bytes()));
        absl::StrAppend(&bytes, chunk);
        on_bytes(static_cast<int64_t>(bytes.size()));
        return absl::OkStatus();
      }).status());
  return bytes;
}

}  // namespace mimeo
