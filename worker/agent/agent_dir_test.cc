#include "worker/agent/agent_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/testing/status_matchers.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::StatusIs;

class AgentDirTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return JoinPath(dir_.path(), name); }
  const TempDir dir_;
};

TEST_F(AgentDirTest, OneAgentHoldsItAtATimeAndItsEndFreesIt) {
  const std::string path = Path("deep/below/w0");
  ASSERT_OK_AND_ASSIGN(std::unique_ptr<AgentDir> first, AgentDir::Hold(path));
  EXPECT_EQ(first->socket_address(), absl::StrCat("unix:", path, "/agent.sock"));
  EXPECT_THAT(AgentDir::Hold(path),
              StatusIs(absl::StatusCode::kFailedPrecondition, AllOf(HasSubstr(path), HasSubstr("in use"))));
  EXPECT_OK(AgentDir::Hold(Path("w1")));
  first.reset();
  EXPECT_OK(AgentDir::Hold(path)) << "a lock file that is left holds nobody up";
}

// A rank that outlives its agent must not keep the next agent from its folder.
TEST_F(AgentDirTest, AChildProcessDoesNotInheritTheLock) {
  ASSERT_OK_AND_ASSIGN(std::unique_ptr<AgentDir> first, AgentDir::Hold(dir_.path()));
  std::FILE* const child = popen("exec cat", "w");
  ASSERT_NE(child, nullptr);
  first.reset();
  EXPECT_OK(AgentDir::Hold(dir_.path()));
  pclose(child);
}

TEST_F(AgentDirTest, WhatStandsInItsPlaceIsNamedAsWhatItIs) {
  ASSERT_OK(WriteFileAtomic(Path("file"), ""));
  EXPECT_THAT(AgentDir::Hold(Path("file")), StatusIs(absl::StatusCode::kNotFound, HasSubstr(Path("file"))));
  EXPECT_THAT(AgentDir::Hold(Path("file/w0")), StatusIs(absl::StatusCode::kNotFound, HasSubstr(Path("file/w0"))));
  ASSERT_OK(MakeDirs(Path("w0/lock")));
  EXPECT_THAT(AgentDir::Hold(Path("w0")), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(Path("w0/lock"))));
  EXPECT_THAT(AgentDir::Hold(Path(std::string(256, 'd'))), StatusIs(absl::StatusCode::kInvalidArgument, ""));
}

// Root may do everything, so the test goes on as another user where it can.
TEST_F(AgentDirTest, AFolderOfAnotherUserIsRefusedWithItsPath) {
  constexpr uid_t kNobody = 65534;
  const std::string state = Path("w0");
  ASSERT_EQ(chmod(dir_.path().c_str(), 0755), 0);
  ASSERT_EQ(mkdir(state.c_str(), 0755), 0);
  const bool root = geteuid() == 0;
  if (root && seteuid(kNobody) != 0) GTEST_SKIP() << "this user is root, and cannot become another one";
  ASSERT_EQ(root ? 0 : chmod(state.c_str(), 0), 0);
  const absl::Status held = AgentDir::Hold(state).status();
  const absl::Status made = AgentDir::Hold(JoinPath(state, "below")).status();
  ASSERT_EQ(root ? seteuid(0) : 0, 0);
  EXPECT_THAT(held, StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr(absl::StrCat(state, "/lock"))));
  EXPECT_THAT(made, StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr(absl::StrCat(state, "/below"))));
}

TEST_F(AgentDirTest, ASocketThatDoesNotFitInAnAddressIsElsewhereAndGoesWithIt) {
  const std::string name = "/agent.sock";
  const std::string fits = Path(std::string(107 - name.size() - dir_.path().size() - 1, 'd'));  // with its NUL: 108
  for (const auto& [path, short_dir] :
       {std::make_pair(fits, false), std::make_pair(fits + "d", true), std::make_pair(Path("per%41cent"), true),
        std::make_pair(Path("what?"), true), std::make_pair(Path("caf\xe9"), true), std::make_pair(Path("a b"), true),
        std::make_pair(Path("a_b-c.d"), false)}) {
    ASSERT_OK_AND_ASSIGN(std::unique_ptr<AgentDir> held, AgentDir::Hold(path));
    const std::string socket(absl::StripPrefix(held->socket_address(), "unix:"));
    EXPECT_EQ(socket != path + name, short_dir) << path;
    EXPECT_LT(socket.size(), 108u);
    const std::string folder = socket.substr(0, socket.size() - name.size());
    EXPECT_TRUE(IsDirectory(folder)) << folder;
    held.reset();
    EXPECT_EQ(FileExists(folder), !short_dir) << folder;
  }
}

}  // namespace
}  // namespace mimeo
