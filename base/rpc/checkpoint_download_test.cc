// A checkpoint's way out of a chunk store that may lie, break off, or be away.
#include "base/rpc/checkpoint_download.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/rpc/rpc.h"
#include "base/testing/status_matchers.h"
#include "gtest/gtest.h"
#include "proto/checkpoint.grpc.pb.h"

namespace mimeo {
namespace {

using testing::StatusIs;

// Serves `replies` from the index that is asked for, then `status`; breaks off once after `break_after` chunks.
class ScriptedChunkStore : public ChunkStore::Service {
 public:
  grpc::Status GetChunks(grpc::ServerContext*, const GetChunksRequest* request,
                         grpc::ServerWriter<GetChunksReply>* stream) override {
    requests.push_back(*request);
    if (replies.empty()) return status;
    for (size_t i = request->first_index(); i < replies.size(); ++i) {
      if (i == break_after) {
        break_after = std::string::npos;
        after_break(this);
        return ToGrpc(absl::UnavailableError("the coordinator stops"));
      }
      GetChunksReply reply = replies[i];
      if (static_cast<int>(i) == request->first_index() && with_manifest) *reply.mutable_manifest() = manifest;
      stream->Write(reply);
    }
    return status;
  }

  CheckpointManifest manifest;
  bool with_manifest = true;
  std::vector<GetChunksReply> replies;
  grpc::Status status;
  size_t break_after = std::string::npos;
  std::function<void(ScriptedChunkStore*)> after_break = [](ScriptedChunkStore*) {};
  std::vector<GetChunksRequest> requests;
};

class CheckpointDownloadTest : public ::testing::Test {
 protected:
  CheckpointDownloadTest() {
    const std::vector<std::string> chunks = {std::string(limits::kChunkBytes, 'a'),
                                             std::string(limits::kChunkBytes, 'b'), "end"};
    store_.manifest.set_job_id("j1");
    store_.manifest.set_step(7);
    store_.manifest.set_content_id("upload");
    store_.manifest.set_chunk_bytes(limits::kChunkBytes);
    for (const std::string& chunk : chunks) {
      store_.manifest.add_chunk_sha256(Sha256(chunk));
      GetChunksReply reply;
      reply.set_index(static_cast<int>(store_.replies.size()));
      reply.set_bytes(chunk);
      store_.replies.push_back(reply);
      content_ += chunk;
    }
    store_.manifest.set_total_bytes(static_cast<int64_t>(content_.size()));
    source_.job_id = "j1";
    source_.step = 7;
  }

  absl::StatusOr<std::string> Download() {
    auto server = RpcServer::Start(ChannelOptions(), "127.0.0.1:0", {&store_});
    if (!server.ok()) return server.status();
    source_.coordinator_address = absl::StrCat("127.0.0.1:", (*server)->port());
    std::string bytes;
    const auto manifest = DownloadChunks(source_, [&](const CheckpointManifest&, absl::string_view chunk) {
      absl::StrAppend(&bytes, chunk);
      return sink_;
    });
    if (!manifest.ok()) return manifest.status();
    EXPECT_EQ(manifest->step(), 7);
    return bytes;
  }
  void ExpectLoss(const std::string& why) { EXPECT_THAT(Download(), StatusIs(absl::StatusCode::kDataLoss, why)); }
  void Wait() { source_.wait_until = Clock::Real()->Now() + absl::Seconds(20); }

  CheckpointSource source_;
  ScriptedChunkStore store_;
  std::string content_;
  absl::Status sink_;  // what takes the chunks answers
};

TEST_F(CheckpointDownloadTest, TheChunksComeInOrderAndWhole) {
  ASSERT_OK_AND_ASSIGN(const std::string bytes, Download());
  EXPECT_TRUE(bytes == content_);
  ASSERT_EQ(store_.requests.size(), 1u);
  EXPECT_EQ(store_.requests[0].job_id(), "j1");
  EXPECT_EQ(store_.requests[0].step(), 7);
  source_.step = 0;
  EXPECT_OK(Download()) << "the newest, whatever its step";
}

TEST_F(CheckpointDownloadTest, AChangedByteIsLoss) {
  (*store_.replies[1].mutable_bytes())[5] ^= 1;
  Wait();
  ExpectLoss("checkpoint of job j1 at step 7: chunk 1 does not match its digest");
  EXPECT_EQ(store_.requests.size(), 1u) << "another attempt would bring the same";
}

TEST_F(CheckpointDownloadTest, AnEndTooEarlyAnotherOrderAndTooManyAreLoss) {
  const GetChunksReply last = store_.replies.back();
  store_.replies.pop_back();
  ExpectLoss("it ends after 2 of 3 chunks, 2097152 bytes of 2097155");
  store_.replies.push_back(last);
  std::swap(store_.replies[1], store_.replies[2]);
  ExpectLoss("chunk 2 came where chunk 1 of 3 was due");
  std::swap(store_.replies[1], store_.replies[2]);
  store_.replies.push_back(last);
  store_.replies.back().set_index(3);
  ExpectLoss("chunk 3 came where chunk 3 of 3 was due");
}

TEST_F(CheckpointDownloadTest, NothingAtAllAndAChunkWithoutManifestAreLoss) {
  store_.with_manifest = false;
  ExpectLoss("chunk 0 came where chunk 0 of 0 was due");
  store_.replies.clear();
  ExpectLoss("it ends after 0 of 0 chunks");
}

TEST_F(CheckpointDownloadTest, AManifestThatContradictsItselfOrIsAnothersIsLoss) {
  store_.manifest.set_total_bytes(store_.manifest.total_bytes() + limits::kChunkBytes);
  ExpectLoss("its manifest contradicts itself (total_bytes 3145731, chunk_bytes 1048576, 3 digests)");
  store_.manifest.set_total_bytes(static_cast<int64_t>(content_.size()));
  store_.manifest.set_step(9);
  ExpectLoss("asked for the checkpoint of job j1 at step 7, got the checkpoint of job j1 at step 9");
  store_.manifest.set_step(7);
  store_.manifest.set_job_id("j2");
  source_.step = 0;
  ExpectLoss("got the checkpoint of job j2 at step 7");
}

TEST_F(CheckpointDownloadTest, WhatTheStoreSaysIsPassedOn) {
  store_.replies.clear();
  store_.status = grpc::Status(grpc::StatusCode::NOT_FOUND, "j1 has no checkpoint");
  Wait();
  EXPECT_EQ(Download().status(), absl::NotFoundError("j1 has no checkpoint"));
}

TEST_F(CheckpointDownloadTest, WhoWaitsGoesOnWhereItWasBrokenOff) {
  store_.break_after = 2;
  EXPECT_THAT(Download(), StatusIs(absl::StatusCode::kUnavailable, "the coordinator stops")) << "one attempt";
  store_.break_after = 2;
  store_.requests.clear();
  source_.step = 0;
  Wait();
  ASSERT_OK_AND_ASSIGN(const std::string bytes, Download());
  EXPECT_TRUE(bytes == content_);
  ASSERT_EQ(store_.requests.size(), 2u);
  EXPECT_EQ(store_.requests[1].first_index(), 2);
  EXPECT_EQ(store_.requests[1].step(), 7) << "by then there may be a newer one";
}

TEST_F(CheckpointDownloadTest, AnotherUploadsChunksDoNotContinueTheFirsts) {
  store_.break_after = 2;
  store_.after_break = [](ScriptedChunkStore* store) { store->manifest.set_content_id("again"); };
  Wait();
  ExpectLoss("became another upload, again, after chunk 2");
}

TEST_F(CheckpointDownloadTest, AnErrorOfTheSinkEndsIt) {
  sink_ = absl::UnavailableError("the disk is away");
  Wait();
  EXPECT_THAT(Download(), StatusIs(absl::StatusCode::kUnavailable, "the disk is away"));
  EXPECT_EQ(store_.requests.size(), 1u);
}

TEST_F(CheckpointDownloadTest, NobodyIsWaitedForNoLongerThanAsked) {
  const auto none = [](const CheckpointManifest&, absl::string_view) { return absl::OkStatus(); };
  source_.coordinator_address = "unix:/nonexistent/socket";
  EXPECT_THAT(DownloadChunks(source_, none), StatusIs(absl::StatusCode::kUnavailable));
  source_.wait_until = Clock::Real()->Now() + absl::Milliseconds(100);
  EXPECT_THAT(DownloadChunks(source_, none),
              StatusIs(absl::StatusCode::kDeadlineExceeded,
                       "step 7: the coordinator at unix:/nonexistent/socket does not answer"));
}

}  // namespace
}  // namespace mimeo
