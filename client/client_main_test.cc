// The process `mimeo`: its streams, its environment and its exit code, with nobody at the coordinator's address.
// tests/e2e has every verb.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/find_binary.h"
#include "base/subprocess.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kNobody[] = "127.0.0.1:1";

struct Said {
  int code = -1;
  std::string out;
  std::string errors;
};

// Runs `mimeo ARGS...`, as a shell does that was given `redirected` behind it.
Said Mimeo(const std::vector<std::string>& args, const std::string& redirected = "",
           const std::vector<std::string>& environment = {}) {
  const auto binary = FindBinary("mimeo");
  EXPECT_TRUE(binary.ok()) << binary.status();
  Said said;
  Subprocess::Options options;
  options.argv = {"/bin/sh", "-c", absl::StrCat("exec \"$0\" \"$@\" ", redirected), binary.value_or("")};
  options.argv.insert(options.argv.end(), args.begin(), args.end());
  options.extra_env = environment;
  options.on_stdout = [&](absl::string_view piece) { absl::StrAppend(&said.out, piece); };
  options.on_stderr = [&](absl::string_view piece) { absl::StrAppend(&said.errors, piece); };
  const auto child = Subprocess::Start(options);
  EXPECT_TRUE(child.ok()) << child.status();
  const auto ended = (*child)->Wait(Clock::Real()->Now() + absl::Minutes(1));
  EXPECT_TRUE(ended.ok()) << ended.status();
  EXPECT_EQ(ended->signal, 0);
  said.code = ended->code;
  return said;
}

TEST(ClientMainTest, WhatWasAskedForIsOnStdoutAndWhatIsWrongOnStderr) {
  const Said help = Mimeo({"--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.out, AllOf(HasSubstr("Exit codes: 0 done; 1"), HasSubstr("delete"), HasSubstr("evaluate")));
  EXPECT_EQ(help.errors, "");
  for (const std::vector<std::string>& args : {std::vector<std::string>{}, {"no-verb"}, {"list", "-o", "xml"}}) {
    const Said wrong = Mimeo(args);
    EXPECT_EQ(wrong.code, 2);
    EXPECT_EQ(wrong.out, "");
    EXPECT_THAT(wrong.errors, HasSubstr("--help"));
  }
}

TEST(ClientMainTest, AnUnknownWordIsNamedWithTheNearestOne) {
  EXPECT_EQ(Mimeo({"lst"}).errors, "no command \"lst\"; the nearest is \"list\"\nmimeo --help says what there is\n");
  EXPECT_THAT(Mimeo({"run", "--ouy", "x"}).errors,
              StartsWith("mimeo run has no option \"--ouy\"; the nearest is \"--out\""));
  EXPECT_THAT(Mimeo({"embed"}).errors,
              AllOf(HasSubstr("mimeo embed: --weights is missing"), HasSubstr("mimeo embed: --images is missing")));
  EXPECT_THAT(Mimeo({"list", "-o", "jsn"}).errors, HasSubstr("\"jsn\" is none of "));
}

TEST(ClientMainTest, HelpFitsAScreenAndKnowsEachVerb) {
  const Said all = Mimeo({"help"});
  EXPECT_EQ(all.code, 0);
  EXPECT_EQ(all.out, Mimeo({"--help"}).out);
  const std::vector<std::string> lines = absl::StrSplit(all.out, '\n');
  EXPECT_LE(lines.size(), 60u);
  for (const std::string& line : lines) EXPECT_LE(line.size(), 80u) << line;
  for (const char* group : {"\nTrain:\n  run ", "\nLook:\n", "\nControl:\n", "\nCluster:\n", "\nEncoders:\n"}) {
    EXPECT_THAT(all.out, HasSubstr(group));
  }
  EXPECT_THAT(all.out, Not(HasSubstr("Others:"))) << "each verb has its group";
  EXPECT_EQ(Mimeo({"help", "evaluate", "knn"}).out, Mimeo({"evaluate", "knn", "--help"}).out);
  EXPECT_THAT(Mimeo({"help", "evaluate", "knn"}).out, HasSubstr("Usage: mimeo evaluate knn --weights TEXT"));
  const Said unknown = Mimeo({"help", "metrisc"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.errors, HasSubstr("the nearest is \"metrics\""));
}

// A script must not take a part of an answer for all of it.
TEST(ClientMainTest, AnAnswerThatDoesNotArriveIsAFailure) {
  const Said full = Mimeo({"--help"}, "> /dev/full");
  EXPECT_EQ(full.code, 1);
  EXPECT_EQ(full.errors, "mimeo: not all of the output could be written: is the disk full?\n");
  EXPECT_EQ(Mimeo({"--version"}, ">&-").code, 1) << "stdout is closed";
  EXPECT_EQ(Mimeo({"no-verb"}, "> /dev/full").code, 2) << "nothing was to be written there";
  EXPECT_EQ(Mimeo({"no-verb"}, "2> /dev/full").code, 2) << "the exit code says it all the same";
}

// Before anything is asked for: a `cancel -o name` cancels nothing.
TEST(ClientMainTest, OnlyListHasWideAndName) {
  const std::vector<std::vector<std::string>> verbs = {{"show", "j1"},
                                                       {"explain", "j1"},
                                                       {"events", "j1"},
                                                       {"logs", "j1"},
                                                       {"metrics", "j1"},
                                                       {"cancel", "j1"},
                                                       {"pause", "j1"},
                                                       {"resume", "j1"},
                                                       {"watch", "j1"},
                                                       {"checkpoints", "j1"},
                                                       {"workers"},
                                                       {"teachers"},
                                                       {"drain", "w1"},
                                                       {"undrain", "w1"},
                                                       {"submit", "recipe"},
                                                       {"plan", "recipe"},
                                                       {"delete", "j1", "--yes"},
                                                       {"run", "--data", "photos", "--out", "out"},
                                                       {"init", "--data", "photos", "--out", "recipe"},
                                                       {"evaluate", "knn", "--weights", "w", "--data", "photos"}};
  for (std::vector<std::string> args : verbs) {
    for (const char* output : {"wide", "name"}) {
      std::vector<std::string> wrong = args;
      wrong.insert(wrong.end(), {"-o", output, "--server", kNobody});
      const Said refused = Mimeo(wrong);
      EXPECT_EQ(refused.code, 2) << args[0];
      EXPECT_THAT(refused.errors, HasSubstr(absl::StrCat("-o ", output, ": this command has table and json alone")))
          << args[0];
    }
  }
  EXPECT_EQ(Mimeo({"list", "-o", "name", "--server", kNobody}).code, 3) << "it has, and nobody answers";
}

TEST(ClientMainTest, TheServerIsTheFlagsThenTheEnvironments) {
  const Said environment = Mimeo({"list"}, "", {absl::StrCat("MIMEO_SERVER=", kNobody)});
  EXPECT_EQ(environment.code, 3);
  EXPECT_THAT(environment.errors, StartsWith(absl::StrCat("mimeo: nobody answers at ", kNobody)));
  const Said flag = Mimeo({"list", "-o", "json", "--server", kNobody}, "", {"MIMEO_SERVER=127.0.0.1:2"});
  EXPECT_EQ(flag.code, 3);
  EXPECT_THAT(flag.errors, HasSubstr(kNobody)) << "options may stand behind the verb";
  EXPECT_EQ(flag.out, "");
  const Said wrong = Mimeo({"list"}, "", {"MIMEO_SERVER=7070"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.errors, HasSubstr("7070"));
}

}  // namespace
}  // namespace mimeo
