// The verbs of workers, teachers and checkpoints, against a real coordinator.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "client/commands/testing/command_line.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using testing::CommandLine;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Outcome;
using testing::SmallRecipe;

class ClusterVerbsTest : public ::testing::Test {
 protected:
  ClusterVerbsTest() { line_.StartCoordinator(); }

  nlohmann::json Json(std::vector<std::string> args) {
    args.insert(args.end(), {"-o", "json"});
    const Outcome outcome = line_.Run(args);
    EXPECT_EQ(outcome.code, 0) << outcome.errors;
    return nlohmann::json::parse(outcome.out);
  }
  void PlaceJob() {
    line_.RegisterWorker("w0", 2);
    EXPECT_EQ(line_.Run({"submit", line_.File("recipe", SmallRecipe())}).code, 0);
    EXPECT_EQ(line_.Beat("w0").gangs_size(), 1);
  }

  CommandLine line_{[](CLI::App* app, Invocation* invocation) {
    AddSubmit(app, invocation);
    AddClusterVerbs(app, invocation);
  }};
};

TEST_F(ClusterVerbsTest, WorkersAreListedWithTheirSlotsAndTheirState) {
  EXPECT_THAT(line_.Run({"workers"}).out, HasSubstr("WORKER"));
  PlaceJob();
  EXPECT_THAT(line_.Run({"workers"}).out, AllOf(HasSubstr("w0"), HasSubstr("ready")));
  const nlohmann::json worker = Json({"workers"})["workers"][0];
  EXPECT_EQ(worker["identity"]["id"], "w0");
  EXPECT_EQ(worker["slots_busy"], 1);
}

TEST_F(ClusterVerbsTest, ADrainedWorkerIsOfferedNothingUntilItIsUndrained) {
  line_.RegisterWorker("w0", 2);
  const Outcome drained = line_.Run({"drain", "w0"});
  EXPECT_EQ(drained.code, 0) << drained.errors;
  EXPECT_THAT(drained.out, HasSubstr("w0 is drained"));
  EXPECT_THAT(line_.Run({"workers"}).out, HasSubstr("drained"));
  EXPECT_EQ(line_.Run({"submit", line_.File("recipe", SmallRecipe())}).code, 0);
  EXPECT_EQ(line_.Beat("w0").gangs_size(), 0);
  EXPECT_EQ(line_.Run({"undrain", "w0"}).code, 0);
  EXPECT_THAT(line_.Run({"workers"}).out, Not(HasSubstr("drained")));
  EXPECT_EQ(line_.Beat("w0").gangs_size(), 1);
}

TEST_F(ClusterVerbsTest, DrainWithWaitReturnsAtOnceWhereNothingRuns) {
  line_.RegisterWorker("w0", 2);
  const Outcome waited = line_.Run({"drain", "w0", "--wait"});
  EXPECT_EQ(waited.code, 0) << waited.errors;
  EXPECT_THAT(waited.out, HasSubstr("its slots are empty"));
  EXPECT_EQ(Json({"drain", "w0", "--wait"})["worker"]["drained"], true);
}

TEST_F(ClusterVerbsTest, AWorkerThatIsNotThereIsTheRequestsMistake) {
  const Outcome outcome = line_.Run({"drain", "w9"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.errors, HasSubstr("w9"));
  EXPECT_EQ(line_.Run({"drain"}).code, 2) << "a worker is wanted";
  EXPECT_EQ(line_.Run({"drain", "w\x01"}).code, 2) << "a control character";
}

TEST_F(ClusterVerbsTest, TeachersAreListedWithTheirAddress) {
  EXPECT_EQ(Json({"teachers"})["teachers"].size(), 0u);
  line_.RegisterTeacher("clip", "10.0.0.3:7071");
  EXPECT_THAT(line_.Run({"teachers"}).out, AllOf(HasSubstr("clip"), HasSubstr("10.0.0.3:7071")));
  EXPECT_EQ(Json({"teachers"})["teachers"][0]["name"], "clip");
}

TEST_F(ClusterVerbsTest, CheckpointsAreListedNewestFirst) {
  PlaceJob();
  EXPECT_EQ(Json({"checkpoints", "j1"})["manifests"].size(), 0u);
  line_.CommitCheckpoint("j1", 2, "the second step");
  line_.CommitCheckpoint("j1", 4, "the fourth step");
  const nlohmann::json manifests = Json({"checkpoints", "j1"})["manifests"];
  ASSERT_EQ(manifests.size(), 2u);
  EXPECT_EQ(manifests[0]["step"], 4);
  EXPECT_EQ(manifests[1]["total_bytes"], 15);
  EXPECT_THAT(line_.Run({"checkpoints", "j1"}).out, AllOf(HasSubstr("PAUSE"), HasSubstr("15")));
  EXPECT_EQ(line_.Run({"checkpoints", "j2"}).code, 2);
}

TEST_F(ClusterVerbsTest, NobodyAtTheAddressIsACodeOfItsOwn) {
  line_.KillCoordinator();
  for (const std::vector<std::string>& args : std::vector<std::vector<std::string>>{
           {"workers"}, {"teachers"}, {"checkpoints", "j1"}, {"drain", "w0"}, {"drain", "w0", "--wait"}}) {
    EXPECT_EQ(line_.Run(args).code, 3) << args[0];
  }
}

}  // namespace
}  // namespace mimeo
