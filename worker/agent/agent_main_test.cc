#include "worker/agent/agent_main.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/file.h"

namespace mimeo {
namespace {

int ExitCode(std::vector<std::string> args) {
  args.insert(args.begin(), "agent");
  std::vector<char*> argv;
  for (std::string& arg : args) argv.push_back(&arg[0]);
  argv.push_back(nullptr);
  return RunAgent(static_cast<int>(args.size()), argv.data());
}

TEST(AgentMainTest, HelpIsNoError) { EXPECT_EQ(ExitCode({"--help"}), 0); }

TEST(AgentMainTest, WrongFlagsExitWithTwo) {
  EXPECT_EQ(ExitCode({}), 2);
  EXPECT_EQ(ExitCode({"--coordinator=127.0.0.1:1", "--id=w0", "--dir=/tmp", "--slots=0"}), 2);
  EXPECT_EQ(ExitCode({"--coordinator=127.0.0.1:1", "--id=w0", "--dir=/tmp", "--no_such_flag"}), 2);
  EXPECT_EQ(ExitCode({"--coordinator=127.0.0.1:1", "--id=w0", "--dir=/tmp", "--device=gpu"}), 2);
}

TEST(AgentMainTest, WhatIsNoDurationAndWhatIsNoTextIsRefused) {
  const TempDir dir;
  const std::vector<std::string> right = {"--coordinator=127.0.0.1:1", "--id=w0", "--dir=" + dir.path(),
                                          "--device=cpu"};
  for (const char* const wrong :
       {"--patience=soon", "--patience=10ms", "--patience=inf", "--stop_grace=-1s", "--host=caf\xe9"}) {
    std::vector<std::string> args = right;
    args.push_back(wrong);
    EXPECT_EQ(ExitCode(args), 2) << wrong;
  }
}

// Several agents on one host with a slot each, as `mimeo run` starts them: each takes a GPU of its own.
TEST(AgentMainTest, SlotsTakeDevicesFromTheFirstOneOn) {
  std::vector<DeviceInfo> devices(3);
  for (size_t i = 0; i < devices.size(); ++i) devices[i].set_name(std::to_string(i));
  EXPECT_EQ(FromDevice(devices, 0)[0].name(), "0");
  EXPECT_EQ(FromDevice(devices, 2)[0].name(), "2");
  EXPECT_EQ(FromDevice(devices, 2)[1].name(), "0");
  EXPECT_EQ(FromDevice(devices, 4)[0].name(), "1") << "more agents than devices share them";
  EXPECT_TRUE(FromDevice({}, 4).empty());
}

TEST(AgentMainTest, AddressesWithoutPortAreRefused) {
  const TempDir dir;
  for (const char* const wrong : {"--metrics_listen=nowhere", "--coordinator=nowhere"}) {
    std::vector<std::string> args = {"--id=w0", "--dir=" + dir.path(), "--device=cpu", wrong};
    if (args.back() != "--coordinator=nowhere") args.push_back("--coordinator=127.0.0.1:1");
    EXPECT_EQ(ExitCode(args), 2) << wrong;
  }
}

}  // namespace
}  // namespace mimeo
