#include "client/download.h"

#include <cstdio>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/rpc/rpc.h"
#include "base/status_macros.h"
#include "proto/checkpoint.grpc.pb.h"

namespace mimeo {
namespace {

constexpr absl::Duration kPatience = absl::Hours(1);

// Checks and appends one chunk after another, in order.
class ChunkFile {
 public:
  ChunkFile(const std::string& job_id, const std::string& path)
      : job_id_(job_id), path_(path), out_(path, std::ios::binary) {}

  absl::Status Take(const GetChunksReply& reply) {
    if (reply.has_manifest()) manifest_ = reply.manifest();
    if (reply.bytes().empty()) return absl::OkStatus();
    if (reply.index() != next_ || next_ >= manifest_.chunk_sha256_size()) {
      return absl::DataLossError(absl::StrCat(Name(), ": chunk ", reply.index(), " came where ", next_, " of ",
                                              manifest_.chunk_sha256_size(), " was due"));
    }
    if (Sha256(reply.bytes()) != manifest_.chunk_sha256(next_)) {
      return absl::DataLossError(absl::StrCat(Name(), ": chunk ", next_, " does not match its digest"));
    }
    ++next_;
    out_ << reply.bytes();
    return out_.good() ? absl::OkStatus()
                       : absl::ResourceExhaustedError(absl::StrCat(path_, ": cannot be written; is the disk full?"));
  }

  absl::Status Finish() {
    out_.close();
    if (next_ == manifest_.chunk_sha256_size() && next_ > 0 && out_.good()) return absl::OkStatus();
    return absl::DataLossError(
        absl::StrCat(Name(), ": ", next_, " of ", manifest_.chunk_sha256_size(), " chunks came"));
  }

 private:
  std::string Name() const { return absl::StrCat("checkpoint of ", job_id_, " at step ", manifest_.step()); }

  const std::string job_id_;
  const std::string path_;
  std::ofstream out_;
  CheckpointManifest manifest_;
  int next_ = 0;
};

}  // namespace

absl::Status DownloadCheckpointFile(const std::shared_ptr<grpc::Channel>& channel, const std::string& job_id,
                                    int64_t step, const std::string& path) {
  const auto stub = ChunkStore::NewStub(channel);
  grpc::ClientContext context;
  SetDeadline(&context, kPatience);
  GetChunksRequest request;
  request.set_job_id(job_id);
  request.set_step(step);
  const auto stream = stub->GetChunks(&context, request);
  const std::string partial = path + ".partial";
  ChunkFile file(job_id, partial);
  GetChunksReply reply;
  absl::Status status;
  while (status.ok() && stream->Read(&reply)) status = file.Take(reply);
  if (!status.ok()) context.TryCancel();
  const absl::Status finished = FromGrpc(stream->Finish());
  if (status.ok()) status = finished;
  if (status.ok()) status = file.Finish();
  if (status.ok() && std::rename(partial.c_str(), path.c_str()) != 0) {
    status = absl::InternalError(path + ": cannot be written");
  }
  if (!status.ok()) std::remove(partial.c_str());
  return status;
}

}  // namespace mimeo
