// `mimeo metrics JOB --to`: a job's numbers for other programs, from a real coordinator or from files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "client/commands/testing/command_line.h"

namespace mimeo {
namespace {

using testing::CommandLine;
using ::testing::HasSubstr;
using testing::SmallRecipe;
using ::testing::StartsWith;

class MetricsVerbTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return JoinPath(line_.dir(), name); }
  CommandLine line_{[](CLI::App* app, Invocation* invocation) {
    AddJobVerbs(app, invocation);
    AddSubmit(app, invocation);
  }};
};

TEST_F(MetricsVerbTest, AJobAndItsFileGiveTheSameTable) {
  line_.StartCoordinator();
  ASSERT_EQ(line_.Run({"submit", line_.File("recipe", SmallRecipe())}).code, 0);
  line_.RegisterWorker("w0", 1);
  line_.Beat("w0");
  line_.ReportSteps("j1", 3);
  ASSERT_EQ(line_.Run({"metrics", "j1", "--to", "csv", "--out", Path("job.csv")}).errors, "");
  const std::string csv = ReadFile(Path("job.csv")).value_or("");
  EXPECT_THAT(csv, StartsWith("step,time,epoch,images,loss,learning_rate,"));
  EXPECT_THAT(csv, HasSubstr("\n2,,0,0,0.5,"));

  line_.File("metrics.jsonl", line_.Run({"metrics", "j1", "-o", "json"}).out);
  for (const std::string& source : {line_.dir(), Path("metrics.jsonl")}) {
    ASSERT_EQ(line_.Run({"metrics", source, "--to", "csv", "--out", Path("file.csv")}).errors, "");
    EXPECT_EQ(ReadFile(Path("file.csv")).value_or(""), csv);
  }
  ASSERT_EQ(line_.Run({"metrics", "j1", "--to", "tensorboard", "--out", Path("events")}).errors, "");
  EXPECT_FALSE(std::filesystem::is_empty(Path("events")));
}

TEST_F(MetricsVerbTest, WhatDoesNotGoTogetherIsRefusedAndNothingIsWritten) {
  line_.File("metrics.jsonl", "{\"step\":1}\n");
  for (const std::vector<std::string>& flags : std::vector<std::vector<std::string>>{
           {"--to", "csv"}, {"--out", "x"}, {}, {"--to", "csv", "--out", Path("x"), "--follow"}}) {
    std::vector<std::string> args = {"metrics", line_.dir()};
    args.insert(args.end(), flags.begin(), flags.end());
    EXPECT_EQ(line_.Run(args).code, 2);
  }
  EXPECT_EQ(line_.Run({"metrics", "j1", "--to", "tensorboard", "--out", Path("events")}).code, 3) << "nobody answers";
  EXPECT_FALSE(FileExists(Path("events")));
  EXPECT_THAT(line_.Run({"metrics", line_.dir(), "--to", "csv", "--out", "/proc/x"}).errors,
              HasSubstr("--out /proc/x"));
}

}  // namespace
}  // namespace mimeo
