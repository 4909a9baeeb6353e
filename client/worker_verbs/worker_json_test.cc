// Shell scripts stand in the worker's place.
#include "client/worker_verbs/worker_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/process.h"
#include "base/testing/status_matchers.h"

namespace mimeo {
namespace {

using ::testing::HasSubstr;

class WorkerJsonTest : public ::testing::Test {
 protected:
  WorkerJsonTest() { EXPECT_EQ(setenv("MIMEO_BIN_DIR", bin_.path().c_str(), 1), 0); }
  ~WorkerJsonTest() override { unsetenv("MIMEO_BIN_DIR"); }

  absl::StatusOr<nlohmann::json> Run(const std::string& script, const std::string& log = "") {
    const std::string path = JoinPath(bin_.path(), "worker");
    EXPECT_OK(WriteFileAtomic(path, absl::StrCat("#!/bin/sh\n", script)));
    EXPECT_EQ(chmod(path.c_str(), 0755), 0);
    return WorkerJson({"survey", "--data", "a b"}, log);
  }

  const TempDir bin_;
};

TEST_F(WorkerJsonTest, GivesTheArgumentsAndReadsWhatIsPrinted) {
  const std::string log = JoinPath(bin_.path(), "log");
  const auto json = Run("echo about >&2; printf '{\"said\": \"%s|%s|%s\"}\\n' \"$1\" \"$2\" \"$3\"", log);
  ASSERT_OK(json.status());
  EXPECT_EQ((*json)["said"], "survey|--data|a b");
  EXPECT_THAT(ReadFile(log).value_or(""), HasSubstr("about"));
}

TEST_F(WorkerJsonTest, AWrongRequestIsWhatTheChildSaid) {
  const auto json = Run("echo 'survey: --data: there is no image' >&2; exit 2");
  EXPECT_TRUE(absl::IsInvalidArgument(json.status()));
  EXPECT_EQ(json.status().message(), "--data: there is no image");
}

TEST_F(WorkerJsonTest, AFailureNamesTheVerbAndHowItEnded) {
  EXPECT_THAT(Run("echo why >&2; exit 3").status().message(), HasSubstr("worker survey exited with code 3: why"));
  EXPECT_THAT(Run("kill -9 $$").status().message(), HasSubstr("worker survey was killed by SIGKILL"));
  for (const char* printed : {"echo '{\"half\":'", "echo '[1]'", "true"}) {
    EXPECT_THAT(Run(printed).status().message(), HasSubstr("no JSON object")) << printed;
  }
}

TEST_F(WorkerJsonTest, CtrlCEndsTheChild) {
  BlockStopSignals();
  ASSERT_EQ(raise(SIGINT), 0);
  const auto json = Run("exec tail -f /dev/null");
  EXPECT_TRUE(absl::IsCancelled(json.status())) << json.status();
}

}  // namespace
}  // namespace mimeo
