// The coordinator's binary as people start it: flags, announcement, SIGKILL, SIGTERM.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/find_binary.h"
#include "base/process.h"
#include "base/rpc/rpc.h"
#include "base/subprocess.h"
#include "base/testing/status_matchers.h"
#include "coordinator/testing/cluster_script.h"
#include "proto/coordinator.grpc.pb.h"

namespace mimeo {
namespace {

using ::testing::HasSubstr;

class CoordinatorMainTest : public ::testing::Test {
 protected:
  std::unique_ptr<Subprocess> Start(const std::vector<std::string>& flags) {
    const auto binary = FindBinary("coordinator");
    EXPECT_OK(binary);
    Subprocess::Options options;
    options.argv = {*binary};
    options.argv.insert(options.argv.end(), flags.begin(), flags.end());
    options.output_path = log();
    auto child = Subprocess::Start(options);
    EXPECT_OK(child);
    return *std::move(child);
  }
  // On the test's directory; waits until it serves.
  std::unique_ptr<Subprocess> Serve(const std::string& listen, std::string* address) {
    const std::string announcement = absl::StrCat(dir_.path(), "/announce", ++started_, ".json");
    auto child = Start({"--listen", listen, "--data_dir", dir_.path() + "/state", "--announce", announcement});
    const auto announced = ReadAnnouncement(announcement);
    EXPECT_OK(announced);
    EXPECT_EQ(announced->count("metrics_address"), 1u);
    *address = announced->at("address");
    return child;
  }
  ExitStatus End(Subprocess* child) {
    const auto ended = child->Wait(Clock::Real()->Now() + absl::Seconds(30));
    EXPECT_OK(ended);
    return ended.value_or(ExitStatus());
  }
  std::string log() const { return dir_.path() + "/log"; }
  std::string Log() const { return ReadFile(log()).value_or(""); }

  const TempDir dir_;
  int started_ = 0;
};

absl::StatusOr<std::string> Submit(const std::string& address, const std::string& request_id = "only") {
  const auto stub = Coordinator::NewStub(OpenChannel(ChannelOptions(), address));
  grpc::ClientContext context;
  SetDeadline(&context, absl::Seconds(20));
  context.set_wait_for_ready(true);
  SubmitRequest request;
  *request.mutable_spec() = testing::ScriptJob(1);
  request.set_request_id(request_id);
  SubmitReply reply;
  const absl::Status status = FromGrpc(stub->Submit(&context, request, &reply));
  if (!status.ok()) return status;
  return reply.job_id();
}

TEST_F(CoordinatorMainTest, AnAcceptedJobSurvivesSigkillAndTheAddressIsTakenAgain) {
  std::string address;
  auto first = Serve("127.0.0.1:0", &address);
  ASSERT_OK_AND_ASSIGN(const std::string id, Submit(address));
  first->Signal(SIGKILL);
  EXPECT_EQ(End(first.get()).signal, SIGKILL);
  std::string again;
  auto second = Serve(address, &again);
  EXPECT_EQ(again, address);
  const auto stub = Coordinator::NewStub(OpenChannel(ChannelOptions(), address));
  grpc::ClientContext context;
  SetDeadline(&context, absl::Seconds(20));
  context.set_wait_for_ready(true);
  GetJobRequest request;
  request.set_job_id(id);
  Job job;
  EXPECT_OK(FromGrpc(stub->GetJob(&context, request, &job)));
  EXPECT_EQ(job.state(), JOB_STATE_PENDING);
}

TEST_F(CoordinatorMainTest, SigtermEndsItCleanlyThoughSomebodyWatches) {
  std::string address;
  auto child = Serve("127.0.0.1:0", &address);
  ASSERT_OK_AND_ASSIGN(const std::string id, Submit(address));
  const auto stub = Coordinator::NewStub(OpenChannel(ChannelOptions(), address));
  grpc::ClientContext context;
  SetDeadline(&context, absl::Seconds(20));
  GetJobRequest request;
  request.set_job_id(id);
  const auto stream = stub->WatchJob(&context, request);
  Job job;
  ASSERT_TRUE(stream->Read(&job));
  child->Signal(SIGTERM);
  EXPECT_FALSE(stream->Read(&job));
  stream->Finish();
  EXPECT_TRUE(End(child.get()).ok()) << Log();
}

TEST_F(CoordinatorMainTest, TwoCannotShareADirectory) {
  std::string address;
  auto child = Serve("127.0.0.1:0", &address);
  auto second = Start({"--listen", "127.0.0.1:0", "--data_dir", dir_.path() + "/state"});
  EXPECT_EQ(End(second.get()).code, 1);
  EXPECT_THAT(Log(), HasSubstr(dir_.path() + "/state"));
}

// Forty accepted jobs, and a byte in the middle of the log of a killed coordinator is not what it was.
TEST_F(CoordinatorMainTest, ADamagedLogIsRefusedByNameAndRepairedOffline) {
  std::string address;
  auto first = Serve("127.0.0.1:0", &address);
  for (int i = 0; i < 40; ++i) ASSERT_OK(Submit(address, absl::StrCat("r", i)));
  auto busy = Start({"--repair", "--data_dir", dir_.path() + "/state"});
  EXPECT_EQ(End(busy.get()).code, 1);
  EXPECT_THAT(Log(), HasSubstr("held by another process"));
  first->Signal(SIGKILL);
  End(first.get());
  std::string log_file;
  for (const auto& entry : std::filesystem::directory_iterator(dir_.path() + "/state")) {
    if (entry.path().extension() == ".log") log_file = entry.path();
  }
  ASSERT_OK_AND_ASSIGN(std::string bytes, ReadFile(log_file));
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  ASSERT_OK(WriteFileAtomic(log_file, bytes));

  auto refused = Start({"--listen", "127.0.0.1:0", "--data_dir", dir_.path() + "/state"});
  EXPECT_EQ(End(refused.get()).code, 1);
  EXPECT_THAT(Log(), HasSubstr("is damaged: " + std::filesystem::path(log_file).filename().string() + ": at byte "));
  EXPECT_THAT(Log(), HasSubstr("coordinator --repair --data_dir " + dir_.path() + "/state"));

  auto repair = Start({"--repair", "--data_dir", dir_.path() + "/state"});
  EXPECT_TRUE(End(repair.get()).ok()) << Log();
  EXPECT_THAT(Log(), HasSubstr(" are lost"));
  EXPECT_THAT(Log(), HasSubstr("its submission is lost; it is listed as cancelled"));
  EXPECT_THAT(Log(), HasSubstr("the store can be started"));
  auto second = Serve("127.0.0.1:0", &address);
  ASSERT_OK_AND_ASSIGN(const std::string next, Submit(address, "after"));
  EXPECT_EQ(next, "j41") << "no job took another's number";
}

TEST_F(CoordinatorMainTest, AWrongCommandLineExitsWith2AndSaysWhatWouldBeRight) {
  const std::string data = dir_.path() + "/state";
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{}, "--data_dir is missing"},
      {{"--data_dir", data, "--listen", "nowhere"}, "--listen: \"nowhere\" is not HOST:PORT"},
      {{"--data_dir", data, "--listen", "127.0.0.1:70000"}, "a port is a number from 0 to 65535"},
      {{"--data_dir", data, "--lease", "soon"}, "such as 60s"},
      {{"--data_dir", data, "--lease", "10ms"}, "1s or more"},
  };
  for (const auto& [flags, message] : cases) {
    auto child = Start(flags);
    EXPECT_EQ(End(child.get()).code, 2) << message;
    EXPECT_THAT(Log(), HasSubstr(message));
  }
  EXPECT_FALSE(IsDirectory(data)) << "nothing was made";
}

}  // namespace
}  // namespace mimeo
