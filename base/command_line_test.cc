#include "base/command_line.h"

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace mimeo {
namespace {

struct Said {
  std::optional<int> code;
  std::string out, errors;
  int slots = 0;
};

Said Parse(std::vector<std::string> words) {
  Said said;
  CLI::App app("Runs ranks.", "worker agent");
  app.add_option("--slots", said.slots)->required();
  app.set_version_flag("--version", "0.2.0");
  words.insert(words.begin(), "agent");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(&word[0]);
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  said.code = ParseCommandLine(&app, static_cast<int>(argv.size()), argv.data());
  said.errors = ::testing::internal::GetCapturedStderr();
  said.out = ::testing::internal::GetCapturedStdout();
  return said;
}

TEST(CommandLineTest, ARightOneGoesOn) {
  const Said said = Parse({"--slots=3"});
  EXPECT_FALSE(said.code.has_value());
  EXPECT_EQ(said.slots, 3);
  EXPECT_EQ(said.out + said.errors, "");
}

TEST(CommandLineTest, WhatWasAskedForIsOnStandardOutput) {
  const Said help = Parse({"--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_NE(help.out.find("--slots"), std::string::npos);
  EXPECT_EQ(help.errors, "");
  const Said version = Parse({"--version"});
  EXPECT_EQ(version.code, 0);
  EXPECT_EQ(version.out, "0.2.0\n");
}

TEST(CommandLineTest, AFaultIsOnStandardErrorWhateverItsBytesAre) {
  const Said none = Parse({});
  EXPECT_EQ(none.code, 2);
  EXPECT_EQ(none.out, "");
  EXPECT_EQ(none.errors.rfind("--slots is required\n", 0), 0u) << none.errors;
  const Said odd = Parse({"--slots=1", "caf\xe9\x1b[31m"});
  EXPECT_EQ(odd.code, 2);
  EXPECT_NE(odd.errors.find("caf\\xe9\\x1b[31m"), std::string::npos) << odd.errors;
  const Said number = Parse({"--slots=\x1b]0;x\x07"});
  EXPECT_EQ(number.code, 2);
  EXPECT_NE(number.errors.find("\\x1b]0;x\\x07"), std::string::npos) << number.errors;
}

}  // namespace
}  // namespace mimeo
