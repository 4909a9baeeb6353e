// The coordinator on a disk that is really full: a small tmpfs of its own.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/build_info.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/find_binary.h"
#include "base/process.h"
#include "base/rpc/rpc.h"
#include "base/subprocess.h"
#include "proto/checkpoint.grpc.pb.h"
#include "proto/coordinator.grpc.pb.h"
#include "tests/e2e/cluster.h"

namespace mimeo {
namespace {

constexpr absl::Duration kAWhile = absl::Milliseconds(300);

class FullDiskTest : public ::testing::Test {
 protected:
  // The mounts are this process's and its children's, and nobody else's. Once for both suites: the thread that starts
  // children stays in the name space in which it began.
  static void SetUpTestSuite() {
    if (alone_) return;
    alone_ = ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    if (!alone_) std::fprintf(stderr, "no mounts of one's own here: %s\n", std::strerror(errno));
  }

  // False: this machine lets nobody mount. The test is skipped then.
  bool Mount(int kilobytes) {
    state_ = cluster_.dir() + "/state";
    EXPECT_TRUE(MakeDirs(state_).ok());
    mounted_ =
        alone_ && ::mount("none", state_.c_str(), "tmpfs", 0, absl::StrCat("size=", kilobytes, "k").c_str()) == 0;
    return mounted_;
  }
  ~FullDiskTest() override {
    cluster_.KillAll();
    if (mounted_) ::umount2(state_.c_str(), MNT_DETACH);
  }

  int64_t Free() const {
    struct statvfs disk;
    EXPECT_EQ(::statvfs(state_.c_str(), &disk), 0);
    return static_cast<int64_t>(disk.f_bavail) * static_cast<int64_t>(disk.f_frsize);
  }
  // Another user of the disk leaves so many bytes.
  void FillUpTo(int64_t free) {
    std::ofstream filler(state_ + "/filler", std::ios::binary | std::ios::app);
    const std::string page(4096, 'f');
    while (filler.good() && Free() > free) filler << page << std::flush;
  }
  void FreeAll() { EXPECT_TRUE(RemoveTree(state_ + "/filler").ok()); }

  std::string Address() const { return ReadAnnouncement(cluster_.dir() + "/coordinator.json")->at("address"); }

  absl::StatusOr<std::string> Submit() {
    const auto stub = Coordinator::NewStub(OpenChannel(ChannelOptions(), Address()));
    grpc::ClientContext context;
    SetDeadline(&context, absl::Seconds(20));
    SubmitRequest request;
    *request.mutable_spec() = TinyJob(1, 10);
    request.set_request_id(absl::StrCat("r", ++requests_));
    SubmitReply reply;
    const absl::Status status = FromGrpc(stub->Submit(&context, request, &reply));
    if (!status.ok()) return status;
    return reply.job_id();
  }
  int CountJobs() {
    const std::string list = cluster_.Mimeo({"list", "-o", "json"});
    int count = 0;
    for (size_t at = list.find("\"id\""); at != std::string::npos; at = list.find("\"id\"", at + 1)) ++count;
    return count;
  }
  void ExpectFull(const absl::Status& status) {
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    cluster_.ExpectAliveFor("coordinator", kAWhile);
  }
  void Restart() {
    cluster_.Kill("coordinator");
    cluster_.StartCoordinator();
  }

  static bool alone_;
  LocalCluster cluster_;
  std::string state_;
  bool mounted_ = false;
  int requests_ = 0;
};

bool FullDiskTest::alone_ = false;

TEST_F(FullDiskTest, TheCoordinatorSaysSoLivesAndGoesOnWhenThereIsRoom) {
  if (!Mount(3072)) GTEST_SKIP() << "no mount is permitted here";
  cluster_.StartCoordinator();
  ASSERT_TRUE(Submit().ok());
  FillUpTo(0);
  for (int i = 0; i < 3; ++i) ExpectFull(Submit().status());
  EXPECT_TRUE(absl::StrContains(Submit().status().message(), "0 bytes are free")) << Submit().status();
  cluster_.Mimeo({"submit", "recipes/tiny_mae.textproto", "--set", "data.path=" + ExamplePhotos("train")},
                 /*exit_code=*/1);
  EXPECT_EQ(CountJobs(), 1) << "what is there can be read";
  Restart();
  EXPECT_EQ(CountJobs(), 1) << "also by a coordinator that starts while the disk is full";
  ExpectFull(Submit().status());
  FreeAll();
  EXPECT_TRUE(Submit().ok());
  Restart();
  EXPECT_EQ(CountJobs(), 2);
  EXPECT_TRUE(Submit().ok());
}

// Somewhere between nothing and enough RocksDB itself runs out of room, at a write, at the start or behind everybody's
// back.
TEST_F(FullDiskTest, WithEachAmountOfFreeRoomItLivesAndLosesNothing) {
  if (!Mount(3072)) GTEST_SKIP() << "no mount is permitted here";
  cluster_.StartCoordinator();
  int accepted = 0;
  for (int i = 0; i < 5; ++i) accepted += Submit().ok();
  ASSERT_EQ(accepted, 5);
  for (int64_t free = 0; free <= 768 << 10; free = free < 64 << 10 ? free + 8192 : free * 2) {
    SCOPED_TRACE(absl::StrCat(free, " bytes free"));
    FillUpTo(free);
    Restart();
    for (int i = 0; i < 4; ++i) {
      const auto submitted = Submit();
      accepted += submitted.ok();
      if (!submitted.ok()) ExpectFull(submitted.status());
    }
    EXPECT_EQ(CountJobs(), accepted);
    FreeAll();
    const auto submitted = Submit();
    EXPECT_TRUE(submitted.ok()) << submitted.status();
    accepted += submitted.ok();
  }
  Restart();
  EXPECT_EQ(CountJobs(), accepted);
}

// A filled disk that nobody frees for the coordinator: a store is not begun there, and says why.
TEST_F(FullDiskTest, ANewStoreIsRefusedByName) {
  if (!Mount(1024)) GTEST_SKIP() << "no mount is permitted here";
  FillUpTo(0);
  Subprocess::Options options;
  options.argv = {*FindBinary("coordinator"), "--listen=127.0.0.1:0", "--data_dir=" + state_};
  options.output_path = cluster_.dir() + "/refused.log";
  const auto child = Subprocess::Start(options);
  ASSERT_TRUE(child.ok());
  const auto ended = (*child)->Wait(absl::InfiniteFuture());
  ASSERT_TRUE(ended.ok());
  EXPECT_EQ(ended->code, 1) << ended->ToString();
  EXPECT_TRUE(absl::StrContains(*ReadFile(options.output_path), "its disk is full")) << *ReadFile(options.output_path);
}

class FullDiskUploadTest : public FullDiskTest {
 protected:
  void RunJob() {
    const auto cluster = Cluster::NewStub(OpenChannel(ChannelOptions(), Address()));
    RegisterWorkerRequest registration;
    registration.mutable_worker()->set_id("w");
    registration.mutable_worker()->set_incarnation("1");
    registration.mutable_worker()->set_slots(1);
    *registration.mutable_worker()->mutable_build() = ThisBuild();
    grpc::ClientContext context;
    RegisterWorkerReply reply;
    ASSERT_TRUE(cluster->RegisterWorker(&context, registration, &reply).ok());
    const auto id = Submit();
    ASSERT_TRUE(id.ok()) << id.status();
    job_ = *id;
  }
  // A chunk of 1 MiB of the upload of `step`.
  absl::Status Put(int64_t step, int index) {
    grpc::ClientContext context;
    SetDeadline(&context, absl::Seconds(20));
    PutChunksReply reply;
    const auto writer = ChunkStore::NewStub(OpenChannel(ChannelOptions(), Address()))->PutChunks(&context, &reply);
    PutChunksRequest chunk;
    chunk.set_job_id(job_);
    chunk.set_step(step);
    chunk.set_content_id(absl::StrCat("u", step));
    chunk.set_index(index);
    chunk.set_bytes(std::string(1 << 20, static_cast<char>('a' + index % 20)));
    chunk.set_sha256(Sha256(chunk.bytes()));
    writer->Write(chunk);
    writer->WritesDone();
    return FromGrpc(writer->Finish());
  }
  absl::Status Commit(int64_t step, int chunks) {
    CommitCheckpointRequest request;
    CheckpointManifest* manifest = request.mutable_manifest();
    manifest->set_job_id(job_);
    manifest->set_generation(1);
    manifest->set_step(step);
    manifest->set_content_id(absl::StrCat("u", step));
    manifest->set_chunk_bytes(1 << 20);
    manifest->set_total_bytes(int64_t{chunks} << 20);
    for (int i = 0; i < chunks; ++i) {
      manifest->add_chunk_sha256(Sha256(std::string(1 << 20, static_cast<char>('a' + i % 20))));
    }
    grpc::ClientContext context;
    SetDeadline(&context, absl::Seconds(20));
    CommitCheckpointReply reply;
    return FromGrpc(
        Cluster::NewStub(OpenChannel(ChannelOptions(), Address()))->CommitCheckpoint(&context, request, &reply));
  }
  std::string job_;
};

TEST_F(FullDiskUploadTest, ADiskThatFillsDuringAnUploadKeepsTheCheckpointBefore) {
  if (!Mount(100 << 10)) GTEST_SKIP() << "no mount is permitted here";
  cluster_.StartCoordinator();
  RunJob();
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(Put(10, i).ok());
  ASSERT_TRUE(Commit(10, 4).ok());
  FillUpTo(int64_t{60} << 20);
  absl::Status put;
  int chunks = 0;
  while (chunks < 200 && (put = Put(20, chunks)).ok()) ++chunks;
  EXPECT_GT(chunks, 5);
  ExpectFull(put);
  EXPECT_TRUE(absl::StrContains(cluster_.Mimeo({"checkpoints", job_}), "10"));
  FillUpTo(0);
  ExpectFull(Submit().status());
  Restart();
  ExpectFull(Submit().status());
  FreeAll();
  EXPECT_TRUE(Submit().ok());
  EXPECT_TRUE(absl::StrContains(cluster_.Mimeo({"checkpoints", job_}), "10"));
}

}  // namespace
}  // namespace mimeo
