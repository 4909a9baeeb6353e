#include "worker/rank/checkpoint_transfer.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/rpc/rpc.h"
#include "base/status_macros.h"
#include "worker/rank/coordinator_link.h"

namespace mimeo {
namespace {

absl::string_view ChunkOf(const std::string& stream, int64_t index) {
  return absl::string_view(stream).substr(static_cast<size_t>(index * limits::kChunkBytes), limits::kChunkBytes);
}

// A link that moves less than 1 MiB a second is as good as broken.
absl::Duration TransferDeadline(int64_t bytes) { return absl::Minutes(1) + absl::Seconds(bytes / limits::kChunkBytes); }

// Answers that another attempt would not change.
bool IsFinalAnswer(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kUnimplemented:
      return true;
    default:
      return false;
  }
}

std::string NameOf(const CheckpointManifest& manifest) {
  return absl::StrCat("checkpoint of job ", manifest.job_id(), " at step ", manifest.step());
}

absl::Status CheckManifest(const CheckpointManifest& manifest) {
  const int64_t chunk = manifest.chunk_bytes();
  const int64_t total = manifest.total_bytes();
  if (total < 0 || total > limits::kCheckpointBytes || chunk < 1 || chunk > limits::kChunkBytes ||
      (total + chunk - 1) / chunk != manifest.chunk_sha256_size()) {
    return absl::DataLossError(absl::StrCat(NameOf(manifest), ": its manifest contradicts itself (total_bytes ", total,
                                            ", chunk_bytes ", chunk, ", ", manifest.chunk_sha256_size(), " digests)"));
  }
  return absl::OkStatus();
}

// A checkpoint as far as it came.
struct Download {
  std::string job_id;
  int64_t step = 0;
  CheckpointManifest manifest;  // unset before the first reply
  std::string bytes;
  int next = 0;  // chunk
};

// The first reply of each call has it. It must stay the same: another upload's chunks do not continue these.
absl::Status TakeManifest(const CheckpointManifest& manifest, Download* download) {
  if (manifest.job_id() != download->job_id || manifest.step() != download->step) {
    return absl::DataLossError(
        absl::StrCat("asked for step ", download->step, " of job ", download->job_id, ", got the ", NameOf(manifest)));
  }
  if (download->next > 0 && manifest.content_id() != download->manifest.content_id()) {
    return absl::DataLossError(absl::StrCat(NameOf(manifest), ": became another upload, ", manifest.content_id(),
                                            ", after chunk ", download->next));
  }
  RETURN_IF_ERROR(CheckManifest(manifest));
  download->manifest = manifest;
  download->bytes.reserve(static_cast<size_t>(manifest.total_bytes()));
  return absl::OkStatus();
}

// Appends one chunk if it is the next and whole.
absl::Status TakeChunk(const GetChunksReply& reply, Download* download) {
  if (reply.has_manifest()) RETURN_IF_ERROR(TakeManifest(reply.manifest(), download));
  const CheckpointManifest& manifest = download->manifest;
  const int next = download->next;
  if (reply.index() != next || next >= manifest.chunk_sha256_size()) {
    return absl::DataLossError(absl::StrCat(NameOf(manifest), ": chunk ", reply.index(), " came where chunk ", next,
                                            " of ", manifest.chunk_sha256_size(), " was due"));
  }
  if (Sha256(reply.bytes()) != manifest.chunk_sha256(next)) {
    return absl::DataLossError(absl::StrCat(NameOf(manifest), ": chunk ", next, " does not match its digest"));
  }
  download->bytes.append(reply.bytes());
  ++download->next;
  return absl::OkStatus();
}

// Reads on from the next chunk until the end or an error.
absl::Status GetChunks(ChunkStore::Stub* store, absl::Time deadline, const std::function<void(int64_t)>& on_bytes,
                       Download* download) {
  grpc::ClientContext context;
  SetDeadline(&context, std::min(deadline - Clock::Real()->Now(), TransferDeadline(limits::kCheckpointBytes)));
  context.set_wait_for_ready(true);
  GetChunksRequest request;
  request.set_job_id(download->job_id);
  request.set_step(download->step);
  request.set_first_index(download->next);
  const auto reader = store->GetChunks(&context, request);
  GetChunksReply reply;
  while (reader->Read(&reply)) {
    const absl::Status taken = TakeChunk(reply, download);
    if (taken.ok()) {
      on_bytes(static_cast<int64_t>(download->bytes.size()));
      continue;
    }
    context.TryCancel();
    reader->Finish();
    return taken;
  }
  RETURN_IF_ERROR(FromGrpc(reader->Finish()));
  const CheckpointManifest& manifest = download->manifest;
  if (download->next < manifest.chunk_sha256_size() ||
      static_cast<int64_t>(download->bytes.size()) != manifest.total_bytes()) {
    return absl::DataLossError(absl::StrCat(NameOf(manifest), ": it ends after chunk ", download->next, " of ",
                                            manifest.chunk_sha256_size(), ", ", download->bytes.size(), " bytes of ",
                                            manifest.total_bytes()));
  }
  return absl::OkStatus();
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
  return absl::DataLossError(absl::StrCat(NameOf(manifest), ": ", reply.chunks(), " of ", manifest.chunk_sha256_size(),
                                          " chunks were stored"));
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
  const auto store = ChunkStore::NewStub(OpenChannel(channels, coordinator_address));
  Download download;
  download.job_id = job_id;
  download.step = step;
  Backoff backoff;
  absl::Mutex mu;  // guards nothing: a wait needs one
  while (true) {
    const int before = download.next;
    const absl::Status status = GetChunks(store.get(), deadline, on_bytes, &download);
    if (status.ok()) return std::move(download.bytes);
    if (IsFinalAnswer(status)) return status;
    if (download.next > before) backoff.Reset();
    const absl::Time again = Clock::Real()->Now() + backoff.Next();
    if (again >= deadline) {
      return absl::DeadlineExceededError(absl::StrCat("checkpoint of job ", job_id, " at step ", step,
                                                      ": the coordinator at ", coordinator_address,
                                                      " does not answer: ", status.message()));
    }
    absl::MutexLock lock(&mu);
    const bool never = false;
    Clock::Real()->Await(&mu, absl::Condition(&never), again);
  }
}

}  // namespace mimeo
