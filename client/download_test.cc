// A checkpoint's way into a file, from a chunk store that may lie.
#include "client/download.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/rpc/rpc.h"
#include "proto/checkpoint.grpc.pb.h"

namespace mimeo {
namespace {

using testing::HasSubstr;

// Serves `replies`, then `status`: what a coordinator with a broken disk, or none of ours, could send.
class ScriptedChunkStore : public ChunkStore::Service {
 public:
  grpc::Status GetChunks(grpc::ServerContext*, const GetChunksRequest* asked,
                         grpc::ServerWriter<GetChunksReply>* stream) override {
    request = *asked;
    for (const GetChunksReply& reply : replies) stream->Write(reply);
    return status;
  }
  std::vector<GetChunksReply> replies;
  grpc::Status status;
  GetChunksRequest request;
};

class DownloadTest : public testing::Test {
 protected:
  DownloadTest() {
    const std::vector<std::string> chunks = {std::string(1 << 20, 'a'), std::string(1 << 20, 'b'), "end"};
    CheckpointManifest manifest;
    manifest.set_step(7);
    for (const std::string& chunk : chunks) manifest.add_chunk_sha256(Sha256(chunk));
    for (size_t i = 0; i < chunks.size(); ++i) {
      GetChunksReply reply;
      if (i == 0) *reply.mutable_manifest() = manifest;
      reply.set_index(static_cast<int>(i));
      reply.set_bytes(chunks[i]);
      store_.replies.push_back(reply);
      content_ += chunks[i];
    }
    auto server = RpcServer::Start(ChannelOptions(), "127.0.0.1:0", {&store_});
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  absl::Status Download() {
    return DownloadCheckpointFile(OpenChannel(ChannelOptions(), absl::StrCat("127.0.0.1:", server_->port())), "j1", 7,
                                  path_);
  }
  void ExpectNoFile() {
    EXPECT_FALSE(FileExists(path_));
    EXPECT_FALSE(FileExists(path_ + ".partial"));
  }

  TempDir dir_;
  const std::string path_ = dir_.path() + "/checkpoint";
  std::string content_;
  ScriptedChunkStore store_;
  std::unique_ptr<RpcServer> server_;
};

TEST_F(DownloadTest, WritesTheChunksInOrder) {
  ASSERT_TRUE(Download().ok());
  EXPECT_EQ(*ReadFile(path_), content_);
  EXPECT_FALSE(FileExists(path_ + ".partial"));
  EXPECT_EQ(store_.request.job_id(), "j1");
  EXPECT_EQ(store_.request.step(), 7);
}

TEST_F(DownloadTest, AChangedByteIsLossAndLeavesNoFile) {
  (*store_.replies[1].mutable_bytes())[5] ^= 1;
  const absl::Status status = Download();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("checkpoint of j1 at step 7: chunk 1 does not match its digest"));
  ExpectNoFile();
}

TEST_F(DownloadTest, AnEndTooEarlyIsLoss) {
  store_.replies.pop_back();
  EXPECT_THAT(std::string(Download().message()), HasSubstr("2 of 3 chunks came"));
  ExpectNoFile();
}

TEST_F(DownloadTest, AnotherOrderAndTooManyAreLoss) {
  std::swap(store_.replies[1], store_.replies[2]);
  EXPECT_THAT(std::string(Download().message()), HasSubstr("chunk 2 came where 1 of 3 was due"));
  std::swap(store_.replies[1], store_.replies[2]);
  store_.replies.push_back(store_.replies.back());
  store_.replies.back().set_index(3);
  EXPECT_EQ(Download().code(), absl::StatusCode::kDataLoss);
  ExpectNoFile();
}

TEST_F(DownloadTest, WhatTheStoreSaysIsPassedOn) {
  store_.replies.clear();
  store_.status = grpc::Status(grpc::StatusCode::NOT_FOUND, "j1 has no checkpoint");
  EXPECT_EQ(Download(), absl::NotFoundError("j1 has no checkpoint"));
  ExpectNoFile();
}

TEST_F(DownloadTest, NothingAtAllIsLoss) {
  store_.replies.clear();
  EXPECT_EQ(Download().code(), absl::StatusCode::kDataLoss);
  ExpectNoFile();
}

}  // namespace
}  // namespace mimeo
