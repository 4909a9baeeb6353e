#include "base/command_line.h"

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
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
  app.add_option("--slots", said.slots, "how many ranks at once")->required();
  std::string level;
  app.add_option("--level", level, "of the log")->check(CLI::IsMember({"debug", "info"}));
  int port = 0;
  app.add_option("--port", port, "where it listens")->check(CLI::Range(1, 9));
  app.require_subcommand(0, 1);
  app.fallthrough();
  CLI::App* look = app.add_subcommand("look", "Looks at what there is")->group("Look");
  look->require_subcommand(1);
  look->add_subcommand("near", "Looks here");
  look->add_subcommand("far", "Looks elsewhere, for as long as it takes, which may be longer than anybody waits");
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
  EXPECT_EQ(none.errors.rfind("worker agent: --slots is missing", 0), 0u) << none.errors;
  const Said odd = Parse({"--slots=1", "caf\xe9\x1b[31m"});
  EXPECT_EQ(odd.code, 2);
  EXPECT_NE(odd.errors.find("caf\\xe9\\x1b[31m"), std::string::npos) << odd.errors;
  const Said number = Parse({"--slots=\x1b]0;x\x07"});
  EXPECT_EQ(number.code, 2);
  EXPECT_NE(number.errors.find("\\x1b]0;x\\x07"), std::string::npos) << number.errors;
}

std::string Fault(std::vector<std::string> words) {
  words.insert(words.begin(), "--slots=1");
  const Said said = Parse(std::move(words));
  EXPECT_EQ(said.code, 2);
  return said.errors.substr(0, said.errors.find('\n'));
}

TEST(CommandLineTest, AnUnknownWordIsNamedWithTheNearestOne) {
  EXPECT_EQ(Fault({"lok"}), "no command \"lok\"; the nearest is \"look\"");
  EXPECT_EQ(Fault({"frobnicate"}), "no command \"frobnicate\"");
  EXPECT_EQ(Fault({"look", "fra"}), "no command \"look fra\"; the nearest is \"look far\"");
  EXPECT_EQ(Fault({"look", "far", "away"}), "worker agent look far does not know what to do with \"away\"");
  EXPECT_EQ(Fault({"--levle=info"}), "worker agent has no option \"--levle\"; the nearest is \"--level\"");
  EXPECT_EQ(Fault({"look", "far", "--lvel", "info"}),
            "worker agent look far has no option \"--lvel\"; the nearest is \"--level\"");
  EXPECT_EQ(Fault({"look"}), "worker agent look: which one? near, far");
}

TEST(CommandLineTest, AWrongValueIsNamedWithTheRightOnes) {
  EXPECT_EQ(Fault({"--level", "inf"}),
            "worker agent: --level: \"inf\" is none of debug, info; the nearest is \"info\"");
  EXPECT_EQ(Fault({"--port", "10"}), "worker agent: --port: \"10\" is not a number from 1 to 9");
  EXPECT_EQ(Fault({"--port", "x"}), "worker agent: --port: \"x\" is not a number from 1 to 9");
  EXPECT_EQ(Fault({"--port"}), "worker agent: --port: a number from 1 to 9 should stand behind it");
  EXPECT_EQ(Fault({"--port", "1", "--port", "2"}), "worker agent: --port is given more than once");
}

TEST(CommandLineTest, TheHelpFitsItsColumns) {
  const Said help = Parse({"--help"});
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(help.out, '\n'))) {
    EXPECT_LE(line.size(), 80u) << line;
  }
  EXPECT_NE(help.out.find("Usage: worker agent --slots NUMBER [OPTIONS] COMMAND\n"), std::string::npos) << help.out;
  EXPECT_NE(help.out.find("  --version       "), std::string::npos) << "a flag takes no value: " << help.out;
  EXPECT_NE(help.out.find("\nLook:\n  look  Looks at what there is\n"), std::string::npos) << help.out;
  EXPECT_NE(help.out.find("--level TEXT    of the log (debug, info)\n"), std::string::npos) << help.out;
  const Said inner = Parse({"look", "--help"});
  EXPECT_NE(inner.out.find("may be longer than\n        anybody waits\n"), std::string::npos) << inner.out;
}

}  // namespace
}  // namespace mimeo
