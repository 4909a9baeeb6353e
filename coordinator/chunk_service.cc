#include "coordinator/chunk_service.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "coordinator/answer.h"
#include "coordinator/request_checks.h"

namespace mimeo {
namespace {

constexpr int64_t kChunksPerCheckpoint = limits::kCheckpointBytes / limits::kChunkBytes;

absl::Status CheckKey(const PutChunksRequest& request) {
  if (request.step() < 1) return absl::InvalidArgumentError(absl::StrCat("step: ", request.step(), " is not positive"));
  RETURN_IF_ERROR(CheckContentId(request.content_id()));
  if (request.index() < 0 || request.index() >= kChunksPerCheckpoint) {
    return absl::InvalidArgumentError(
        absl::StrCat("index: ", request.index(), " is not in [0, ", kChunksPerCheckpoint, ")"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ChunkService::Put(const PutChunksRequest& request) {
  RETURN_IF_ERROR(CheckKey(request));
  // Admitted with every chunk: a gang that ends during its upload is stopped here, not at the commit a gigabyte later.
  const ChunkKey key = {request.job_id(), request.step(), request.content_id(), request.index()};
  const absl::Status written = core_->PutChunk(key, request.sha256(), request.bytes());
  if (absl::IsResourceExhausted(written) || absl::IsUnavailable(written)) core_->metrics().StoreFailed();
  RETURN_IF_ERROR(written);
  core_->metrics().ChunkReceived(static_cast<int64_t>(request.bytes().size()));
  return absl::OkStatus();
}

grpc::Status ChunkService::PutChunks(grpc::ServerContext*, grpc::ServerReader<PutChunksRequest>* reader,
                                     PutChunksReply* reply) {
  const StreamLimit::OpenStream stream(&streams_);
  if (!stream.status().ok()) return Answer(core_, stream.status());
  PutChunksRequest request;
  int64_t chunks = 0;
  while (reader->Read(&request)) {
    const absl::Status put = Put(request);
    if (!put.ok()) return Answer(core_, put);
    ++chunks;
  }
  reply->set_chunks(chunks);
  return grpc::Status::OK;
}

absl::StatusOr<CheckpointManifest> ChunkService::FindManifest(const GetChunksRequest& request) {
  ASSIGN_OR_RETURN(const Job job, core_->GetJob(request.job_id()));
  const int64_t step = request.step() == 0 ? job.checkpoint_step() : request.step();
  if (step == 0) return absl::NotFoundError(absl::StrCat(request.job_id(), " has no checkpoint yet"));
  return core_->checkpoints().GetManifest(request.job_id(), step);
}

absl::Status ChunkService::SendChunks(const CheckpointManifest& manifest, int first_index,
                                      grpc::ServerWriter<GetChunksReply>* writer) {
  const int num_chunks = manifest.chunk_sha256_size();
  if (first_index < 0 || first_index > num_chunks) {
    return absl::InvalidArgumentError(absl::StrCat("first_index: ", first_index, " is not in [0, ", num_chunks, "]"));
  }
  for (int index = first_index; index < num_chunks; ++index) {
    GetChunksReply reply;
    if (index == first_index) *reply.mutable_manifest() = manifest;
    reply.set_index(index);
    ASSIGN_OR_RETURN(*reply.mutable_bytes(), core_->checkpoints().GetChunk(manifest, index));
    // Blocks while the client does not read: one chunk waits here, and none is read ahead.
    if (!writer->Write(reply)) return absl::CancelledError("the client left");
  }
  return absl::OkStatus();
}

grpc::Status ChunkService::GetChunks(grpc::ServerContext*, const GetChunksRequest* request,
                                     grpc::ServerWriter<GetChunksReply>* writer) {
  const StreamLimit::OpenStream stream(&streams_);
  if (!stream.status().ok()) return Answer(core_, stream.status());
  const absl::StatusOr<CheckpointManifest> manifest = FindManifest(*request);
  if (!manifest.ok()) return Answer(core_, manifest.status());
  return Answer(core_, SendChunks(*manifest, request->first_index(), writer));
}

}  // namespace mimeo
