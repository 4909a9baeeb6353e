// A checkpoint's way into a file. What a chunk store may do wrong is in base/rpc/checkpoint_download_test.cc.
#include "client/download.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/rpc/rpc.h"
#include "base/testing/status_matchers.h"
#include "proto/checkpoint.grpc.pb.h"

namespace mimeo {
namespace {

using testing::StatusIs;

// Has one checkpoint of one chunk.
class SmallChunkStore : public ChunkStore::Service {
 public:
  grpc::Status GetChunks(grpc::ServerContext*, const GetChunksRequest* request,
                         grpc::ServerWriter<GetChunksReply>* stream) override {
    GetChunksReply reply;
    CheckpointManifest& manifest = *reply.mutable_manifest();
    manifest.set_job_id(request->job_id());
    manifest.set_step(request->step());
    manifest.set_chunk_bytes(4);
    manifest.set_total_bytes(4);
    manifest.add_chunk_sha256(Sha256("abcd"));
    reply.set_bytes(bytes);
    stream->Write(reply);
    return grpc::Status::OK;
  }
  std::string bytes = "abcd";
};

class DownloadTest : public ::testing::Test {
 protected:
  absl::Status Download(const std::string& path) {
    auto server = RpcServer::Start(ChannelOptions(), "127.0.0.1:0", {&store_});
    if (!server.ok()) return server.status();
    return DownloadCheckpointFile(ChannelOptions(), absl::StrCat("127.0.0.1:", (*server)->port()), "j1", 7, path);
  }

  const TempDir dir_;
  const std::string path_ = JoinPath(dir_.path(), "checkpoint");
  SmallChunkStore store_;
};

TEST_F(DownloadTest, TheFileAppearsWithEveryByte) {
  ASSERT_OK(Download(path_));
  EXPECT_EQ(*ReadFile(path_), "abcd");
  EXPECT_FALSE(FileExists(path_ + ".partial"));
}

TEST_F(DownloadTest, ALossLeavesNoFile) {
  store_.bytes = "abce";
  EXPECT_THAT(Download(path_), StatusIs(absl::StatusCode::kDataLoss, "job j1 at step 7: chunk 0 does not match"));
  EXPECT_FALSE(FileExists(path_));
  EXPECT_FALSE(FileExists(path_ + ".partial"));
}

TEST_F(DownloadTest, WhatCannotBeWrittenIsNamed) {
  EXPECT_THAT(Download(JoinPath(dir_.path(), "no_such_folder/file")),
              StatusIs(absl::StatusCode::kResourceExhausted, "no_such_folder/file: cannot be written"));
}

TEST_F(DownloadTest, NobodyIsWaitedFor) {
  EXPECT_THAT(DownloadCheckpointFile(ChannelOptions(), "unix:/nonexistent/socket", "j1", 7, path_),
              StatusIs(absl::StatusCode::kUnavailable));
}

}  // namespace
}  // namespace mimeo
