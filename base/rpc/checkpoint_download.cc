#include "base/rpc/checkpoint_download.h"

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/rpc/rpc.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "base/wait.h"
#include "proto/checkpoint.grpc.pb.h"

namespace mimeo {
namespace {

using Take = std::function<absl::Status(const CheckpointManifest&, absl::string_view)>;

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

std::string NameOf(const std::string& job_id, int64_t step) {
  const std::string which = step == 0 ? "the newest step" : absl::StrCat("step ", step);
  return absl::StrCat("checkpoint of job ", ToText(job_id, limits::kShortReasonBytes), " at ", which);
}

absl::Status CheckManifest(const CheckpointManifest& manifest) {
  const int64_t chunk = manifest.chunk_bytes();
  const int64_t total = manifest.total_bytes();
  if (total < 0 || total > limits::kCheckpointBytes || chunk < 1 || chunk > limits::kChunkBytes ||
      (total + chunk - 1) / chunk != manifest.chunk_sha256_size()) {
    return absl::DataLossError(absl::StrCat(CheckpointName(manifest), ": its manifest contradicts itself (total_bytes ",
                                            total, ", chunk_bytes ", chunk, ", ", manifest.chunk_sha256_size(),
                                            " digests)"));
  }
  return absl::OkStatus();
}

// A checkpoint as far as it came.
class Download {
 public:
  Download(const CheckpointSource& source, const Take& take)
      : source_(source),
        take_(take),
        store_(ChunkStore::NewStub(OpenChannel(source.channels, source.coordinator_address))) {}

  absl::StatusOr<CheckpointManifest> Run() {
    Backoff backoff;
    while (true) {
      const int before = next_;
      const absl::Status status = Attempt();
      if (status.ok()) return manifest_;
      if (refused_ || !source_.wait_until.has_value() || IsFinalAnswer(status)) return status;
      if (next_ > before) backoff.Reset();
      const absl::Time again = Clock::Real()->Now() + backoff.Next();
      if (again >= *source_.wait_until) {
        return absl::DeadlineExceededError(absl::StrCat(NameOf(source_.job_id, source_.step), ": the coordinator at ",
                                                        source_.coordinator_address,
                                                        " does not answer: ", status.message()));
      }
      WaitUntil(again);
    }
  }

 private:
  // Reads on from the next chunk until the end or an error.
  absl::Status Attempt() {
    grpc::ClientContext context;
    absl::Duration timeout = TransferDeadline(limits::kCheckpointBytes);
    if (source_.wait_until.has_value()) timeout = std::min(timeout, *source_.wait_until - Clock::Real()->Now());
    SetDeadline(&context, timeout);
    context.set_wait_for_ready(source_.wait_until.has_value());
    GetChunksRequest request;
    request.set_job_id(source_.job_id);
    request.set_step(has_manifest_ ? manifest_.step() : source_.step);
    request.set_first_index(next_);
    const auto reader = store_->GetChunks(&context, request);
    GetChunksReply reply;
    while (reader->Read(&reply)) {
      const absl::Status taken = TakeReply(reply);
      if (taken.ok()) continue;
      refused_ = true;
      context.TryCancel();
      reader->Finish();
      return taken;
    }
    RETURN_IF_ERROR(FromGrpc(reader->Finish()));
    if (has_manifest_ && next_ == manifest_.chunk_sha256_size() && bytes_ == manifest_.total_bytes()) {
      return absl::OkStatus();
    }
    return absl::DataLossError(absl::StrCat(NameOf(source_.job_id, source_.step), ": it ends after ", next_, " of ",
                                            manifest_.chunk_sha256_size(), " chunks, ", bytes_, " bytes of ",
                                            manifest_.total_bytes()));
  }

  absl::Status TakeReply(const GetChunksReply& reply) {
    if (reply.has_manifest()) RETURN_IF_ERROR(TakeManifest(reply.manifest()));
    const int num_chunks = manifest_.chunk_sha256_size();
    if (reply.index() != next_ || next_ >= num_chunks) {
      return absl::DataLossError(absl::StrCat(NameOf(source_.job_id, source_.step), ": chunk ", reply.index(),
                                              " came where chunk ", next_, " of ", num_chunks, " was due"));
    }
    if (Sha256(reply.bytes()) != manifest_.chunk_sha256(next_)) {
      return absl::DataLossError(
          absl::StrCat(CheckpointName(manifest_), ": chunk ", next_, " does not match its digest"));
    }
    RETURN_IF_ERROR(take_(manifest_, reply.bytes()));
    bytes_ += static_cast<int64_t>(reply.bytes().size());
    ++next_;
    return absl::OkStatus();
  }

  // The first reply of each call has it. It must stay the same: another upload's chunks do not continue these.
  absl::Status TakeManifest(const CheckpointManifest& manifest) {
    const int64_t step = has_manifest_ ? manifest_.step() : source_.step;
    if (manifest.job_id() != source_.job_id || (step != 0 && manifest.step() != step)) {
      return absl::DataLossError(
          absl::StrCat("asked for the ", NameOf(source_.job_id, step), ", got the ", CheckpointName(manifest)));
    }
    if (next_ > 0 && manifest.content_id() != manifest_.content_id()) {
      return absl::DataLossError(absl::StrCat(CheckpointName(manifest), ": became another upload, ",
                                              ToText(manifest.content_id(), limits::kShortReasonBytes),
                                              ", after chunk ", next_));
    }
    RETURN_IF_ERROR(CheckManifest(manifest));
    manifest_ = manifest;
    has_manifest_ = true;
    return absl::OkStatus();
  }

  const CheckpointSource& source_;
  const Take& take_;
  const std::unique_ptr<ChunkStore::Stub> store_;
  bool has_manifest_ = false;
  CheckpointManifest manifest_;
  int next_ = 0;  // chunk
  int64_t bytes_ = 0;
  bool refused_ = false;  // by this side: another attempt would bring the same
};

}  // namespace

absl::StatusOr<CheckpointManifest> DownloadChunks(const CheckpointSource& source, const Take& take) {
  return Download(source, take).Run();
}

absl::Duration TransferDeadline(int64_t bytes) { return absl::Minutes(1) + absl::Seconds(bytes >> 20); }

std::string CheckpointName(const CheckpointManifest& manifest) { return NameOf(manifest.job_id(), manifest.step()); }

}  // namespace mimeo
