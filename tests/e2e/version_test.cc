// Every binary says which build it is; a coordinator of another protocol version is believed, and not asked again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/find_binary.h"
#include "base/rpc/rpc.h"
#include "base/version.h"
#include "proto/coordinator.grpc.pb.h"
#include "tests/e2e/cluster.h"

namespace mimeo {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

std::string VersionOf(const std::string& binary) {
  Subprocess::Options options;
  options.argv = {FindBinary(binary).value(), "--version"};
  options.capture_stdout = true;
  const auto child = Subprocess::Start(options);
  EXPECT_TRUE(child.ok()) << child.status();
  const auto ended = (*child)->Wait(Clock::Real()->Now() + absl::Minutes(1));
  EXPECT_TRUE(ended.ok() && ended->ok()) << binary;
  return (*child)->output();
}

TEST(VersionTest, EveryBinarySaysWhatItIs) {
  const std::string build = absl::StrCat("mimeo ", Version(), " \\(commit ([0-9a-f]{7}(-dirty)?|unknown), protocol ",
                                         kProtocolVersion, "\\)");
  for (const char* binary : {"mimeo", "coordinator", "worker"})
    EXPECT_THAT(VersionOf(binary), MatchesRegex(build + "\n"));
  for (const char* binary : {"worker_compute", "teacher_server"}) {
    EXPECT_THAT(VersionOf(binary), MatchesRegex(build + ", libtorch 2\\.[0-9]+\\.[0-9]+\n"));
  }
}

TEST(VersionTest, TheBuildOfAWorkerIsListed) {
  LocalCluster cluster;
  cluster.StartCoordinator();
  cluster.StartWorker("w0");
  while (cluster.Workers().workers_size() == 0) {
  }
  const nlohmann::json build =
      nlohmann::json::parse(cluster.Mimeo({"workers", "-o", "json"}))["workers"][0]["identity"]["build"];
  EXPECT_EQ(build["version"], Version());
  EXPECT_EQ(build["protocol"], kProtocolVersion);
  EXPECT_EQ(build["libtorch"], "") << "an agent links none";
}

// A coordinator of another protocol version, as agents and teacher servers meet it.
class OtherCluster : public Cluster::Service {
  grpc::Status RegisterWorker(grpc::ServerContext*, const RegisterWorkerRequest*, RegisterWorkerReply*) override {
    return Refusal();
  }
  grpc::Status TeacherHeartbeat(grpc::ServerContext*, const TeacherHeartbeatRequest*, TeacherHeartbeatReply*) override {
    return Refusal();
  }
  static grpc::Status Refusal() {
    return grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "it is protocol 1, and the coordinator is protocol 9");
  }
};

TEST(VersionTest, WhoIsRefusedSaysSoAndEnds) {
  OtherCluster service;
  const auto server = RpcServer::Start(ChannelOptions(), "127.0.0.1:0", {&service});
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string coordinator = absl::StrCat("--coordinator=127.0.0.1:", (*server)->port());
  const TempDir dir;
  const std::vector<std::vector<std::string>> commands = {
      {FindBinary("worker").value(), "agent", coordinator, "--id=w0", "--dir=" + dir.path() + "/w0", "--device=cpu"},
      {FindBinary("teacher_server").value(), coordinator, "--name=clip", "--listen=127.0.0.1:0", "--device=cpu",
       "--weights=examples/teachers/clothing_mv"}};
  for (size_t i = 0; i < commands.size(); ++i) {
    Subprocess::Options options;
    options.argv = commands[i];
    options.output_path = absl::StrCat(dir.path(), "/log", i);
    const auto child = Subprocess::Start(options);
    ASSERT_TRUE(child.ok()) << child.status();
    const auto ended = (*child)->Wait(Clock::Real()->Now() + absl::Minutes(1));
    ASSERT_TRUE(ended.ok()) << "it still runs: " << commands[i][0];
    EXPECT_EQ(ended->code, 1);
    EXPECT_THAT(ReadFile(options.output_path).value_or(""), HasSubstr("the coordinator is protocol 9"));
  }
}

}  // namespace
}  // namespace mimeo
