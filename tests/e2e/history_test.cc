// What a person can find out about a job, and how a finished one goes on: events, logs, lists and JSON of real
// processes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/rpc/rpc.h"
#include "base/subprocess.h"
#include "proto/coordinator.grpc.pb.h"
#include "tests/e2e/cluster.h"

namespace mimeo {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

// What validate.py says against the JSON that `args` print; empty: it is as the schema says.
std::string Against(LocalCluster* cluster, const std::string& schema, std::vector<std::string> args) {
  args.insert(args.end(), {"-o", "json"});
  const std::string json = absl::StrCat(cluster->dir(), "/", schema, ".json"), said = json + ".said";
  EXPECT_TRUE(WriteFileAtomic(json, cluster->Mimeo(args)).ok());
  Subprocess::Options options;
  options.argv = {"/usr/bin/env", "python3", "tests/schemas/validate.py",
                  absl::StrCat("tests/schemas/", schema, ".json"), json};
  options.output_path = said;
  const auto validator = Subprocess::Start(options);
  if (!validator.ok()) return validator.status().ToString();
  const auto exit = (*validator)->Wait(Clock::Real()->Now() + absl::Seconds(30));
  if (!exit.ok()) return exit.status().ToString();
  const std::string text = ReadFile(said).value_or("");
  return exit->code == 0 ? "" : absl::StrCat("code ", exit->code, ": ", text);
}

absl::Status Extend(const LocalCluster& cluster, const std::string& job, const JobSpec& spec) {
  const auto stub = Coordinator::NewStub(OpenChannel(ChannelOptions(), cluster.address("coordinator")));
  grpc::ClientContext context;
  SetDeadline(&context, absl::Seconds(20));
  ExtendJobRequest request;
  request.set_job_id(job);
  *request.mutable_spec() = spec;
  request.set_user("anna");
  Job reply;
  return FromGrpc(stub->ExtendJob(&context, request, &reply));
}

TEST(HistoryTest, EventsSayWhoDiedAndLogsAreReadFromTheWorker) {
  LocalCluster cluster;
  cluster.StartCoordinator();
  cluster.StartWorker("host1");
  cluster.StartWorker("host2");
  const std::string id = cluster.Submit(TinyJob(2, 200));
  const Job before = cluster.Await(id, "a checkpoint and both ranks", [](const Job& job) {
    return job.checkpoint_step() >= 10 && job.ranks_size() == 2 && job.images_per_second() > 0;
  });
  ASSERT_EQ(kill(static_cast<pid_t>(before.ranks(1).pid()), SIGKILL), 0);
  // A rank prints little, so something is added to what it printed.
  const std::string worker = before.worker_ids(1);
  std::ofstream(absl::StrCat(cluster.dir(), "/", worker, "/ranks/", id, "-g1-r1.log"), std::ios::app)
      << "words before\nits last \x1b[2J words\n";
  for (const auto& [schema, args] : std::vector<std::pair<std::string, std::vector<std::string>>>{
           {"list", {"list"}}, {"show", {"show", id}}, {"workers", {"workers"}}, {"events", {"events", id}}}) {
    EXPECT_EQ(Against(&cluster, schema, args), "") << schema;
  }
  EXPECT_EQ(cluster.AwaitSuccess(id).generation(), 2);
  const std::string events = cluster.Mimeo({"events", id});
  EXPECT_THAT(events, ContainsRegex("[a-z0-9_.-]+ submitted it"));
  EXPECT_THAT(events, HasSubstr("generation 1 placed on host1, host2; it starts from the beginning"));
  EXPECT_THAT(events,
              ContainsRegex("generation 1 failed, failure 1 of [0-9]+ in a row: rank 1 on host[12]: .*SIGKILL"));
  EXPECT_THAT(events, ContainsRegex("generation 2 placed on .*; it starts from step [0-9]+, .* after the failure"));
  EXPECT_THAT(events, HasSubstr("generation 2 is done, and so is the job"));
  EXPECT_EQ(cluster.Mimeo({"logs", id, "--rank", "1", "--generation", "1", "--lines", "1"}),
            "its last \\x1b[2J words\n")
      << "of a rank that has ended, as text";
  // Both have ended, and one worker is gone without a word.
  cluster.Kill(worker);
  cluster.Mimeo({"logs", id, "--rank", "1", "--generation", "1"}, 1);
}

TEST(HistoryTest, AFinishedJobGoesOnWithALongerSchedule) {
  LocalCluster cluster;
  cluster.StartCoordinator();
  cluster.StartWorker("w0");
  JobSpec spec = TinyJob(1, 12);
  const std::string id = cluster.Submit(spec);
  ASSERT_EQ(cluster.AwaitSuccess(id).step(), 12);
  spec.mutable_schedule()->set_steps(20);
  JobSpec other = spec;
  other.set_seed(99);
  const absl::Status refused = Extend(cluster, id, other);
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("seed: 99, but"));
  const absl::Status extended = Extend(cluster, id, spec);
  ASSERT_TRUE(extended.ok()) << extended;
  // A coordinator that is killed and starts anew knows it too.
  cluster.Kill("coordinator");
  cluster.StartCoordinator();
  const Job done = cluster.AwaitSuccess(id);
  EXPECT_EQ(done.step(), 20);
  EXPECT_EQ(done.generation(), 2);
  EXPECT_EQ(cluster.Steps(id).size(), 20u) << "each step once";
  EXPECT_EQ(cluster.Steps(id).at(12).generation(), 1) << "not done again";
  EXPECT_THAT(cluster.Mimeo({"events", id}), HasSubstr("anna extended it to 20 steps (20 steps), from 12 steps"));
}

}  // namespace
}  // namespace mimeo
