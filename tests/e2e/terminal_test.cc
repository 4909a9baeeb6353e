// `mimeo` at a terminal: what a person sees at 80 columns, and what Ctrl-C does there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/clock.h"
#include "base/columns.h"
#include "base/file.h"
#include "base/find_binary.h"
#include "job/job_spec.h"
#include "tests/e2e/cluster.h"

namespace mimeo {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr size_t kColumns = 80;
constexpr absl::Duration kPatience = absl::Minutes(2);

// A child with a terminal of its own.
class Terminal {
 public:
  explicit Terminal(const std::vector<std::string>& argv) {
    winsize size{};
    size.ws_col = kColumns;
    size.ws_row = 24;
    std::vector<char*> words;
    for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    child_ = forkpty(&controller_, nullptr, nullptr, &size);
    if (child_ == 0) {
      setenv("TERM", "xterm", 1);
      unsetenv("NO_COLOR");
      execv(words[0], words.data());
      _exit(127);
    }
  }
  ~Terminal() { close(controller_); }

  // Everything that was written so far, once it has `text`; all of it when the child has ended.
  std::string Await(const std::string& text) {
    const absl::Time deadline = Clock::Real()->Now() + kPatience;
    while (Clock::Real()->Now() < deadline && (text.empty() || !absl::StrContains(seen_, text))) {
      pollfd ready = {controller_, POLLIN, 0};
      if (poll(&ready, 1, 100) == 0) continue;
      char part[4096];
      const ssize_t got = read(controller_, part, sizeof(part));
      if (got <= 0) break;  // nobody has the terminal any more
      seen_.append(part, static_cast<size_t>(got));
    }
    return seen_;
  }
  std::string AwaitEnd() { return Await(""); }
  void Type(absl::string_view keys) {
    EXPECT_EQ(write(controller_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
  }
  int ExitCode() {
    int status = 0;
    EXPECT_EQ(waitpid(child_, &status, 0), child_);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  int controller_ = -1;
  pid_t child_ = -1;
  std::string seen_;
};

std::string Binary() { return FindBinary("mimeo").value_or(""); }

// Each state of each line that a person saw.
std::vector<std::string> Lines(const std::string& seen) {
  return absl::StrSplit(absl::StrReplaceAll(seen, {{"\r\033[K", "\n"}, {"\r\n", "\n"}}), '\n', absl::SkipEmpty());
}

TEST(TerminalTest, CtrlCOnARunAndTheBarIsNeverWiderThanTheTerminal) {
  const TempDir dir;
  const std::string recipe = dir.path() + "/recipe.textproto", out = dir.path() + "/out";
  ASSERT_TRUE(WriteFileAtomic(recipe, JobSpecText(TinyJob(1, 150))).ok());
  const std::vector<std::string> command = {Binary(), "run", recipe, "--out", out};
  Terminal run(command);
  EXPECT_THAT(run.Await("/150  loss "), HasSubstr("\r\033[K[")) << "a bar that is redrawn in place";
  run.Type("\x03");
  const std::string seen = run.AwaitEnd();
  EXPECT_EQ(run.ExitCode(), 1) << seen;
  EXPECT_THAT(seen, HasSubstr("stopping after a checkpoint"));
  EXPECT_THAT(seen, HasSubstr("the same command continues it"));
  EXPECT_THAT(seen, HasSubstr("\033[31mmimeo: \033[0m")) << "an error is red";
  for (const std::string& line : Lines(seen)) {
    // The terminal itself writes ^C behind what stands there.
    if (!absl::StartsWith(line, "[")) continue;
    EXPECT_LT(ColumnsOf(absl::StripSuffix(line, "^C")), kColumns) << line;
  }

  std::vector<std::string> tiny = command;
  tiny.insert(tiny.end(), {"--set", "seed=8"});
  Terminal refused(tiny);
  EXPECT_THAT(refused.AwaitEnd(), HasSubstr("seed: 8, but "));
  EXPECT_EQ(refused.ExitCode(), 2);
}

// What is followed goes on without the one who follows, who is told how to come back.
TEST(TerminalTest, CtrlCOnWatchEventsAndLogsSaysHowToComeBack) {
  LocalCluster cluster;
  cluster.StartCoordinator();
  cluster.StartWorker("w0");
  const std::string id = cluster.Submit(TinyJob(1, 100'000)), server = cluster.address("coordinator");
  Terminal watch({Binary(), "watch", id, "--server", server});
  watch.Await("/100000  loss ");
  watch.Type("\x03");
  EXPECT_THAT(watch.AwaitEnd(), HasSubstr(absl::StrCat(id, " goes on without you: `mimeo watch ", id,
                                                       "` shows it again, `mimeo pause ", id, "`")));
  EXPECT_EQ(watch.ExitCode(), 1);

  Terminal events({Binary(), "events", id, "--follow", "--server", server});
  events.Await("generation 1 placed on w0");
  events.Type("\x03");
  EXPECT_THAT(events.AwaitEnd(), HasSubstr(absl::StrCat("`mimeo events ", id, " --follow` shows it again")));
  EXPECT_EQ(events.ExitCode(), 1);

  // Its own rank prints little; what is added to its log is what it prints next.
  const std::string log = absl::StrCat(cluster.dir(), "/w0/ranks/", id, "-g1-r0.log");
  Terminal logs({Binary(), "logs", id, "--follow", "--server", server});
  logs.Await("rank 0 of generation 1, on w0");
  std::ofstream(log, std::ios::app) << "some words that came later\n";
  EXPECT_THAT(logs.Await("came later"), HasSubstr("some words that came later"));
  logs.Type("\x03");
  EXPECT_THAT(logs.AwaitEnd(), HasSubstr(absl::StrCat("`mimeo logs ", id, " --rank 0 --follow` shows it again")));
  EXPECT_EQ(logs.ExitCode(), 1);

  Terminal to_the_end({Binary(), "logs", id, "--follow", "--server", server});
  to_the_end.Await("some words that came later");
  cluster.Mimeo({"cancel", id});
  to_the_end.AwaitEnd();
  EXPECT_EQ(to_the_end.ExitCode(), 0) << "its generation has ended";
}

TEST(TerminalTest, NoEscapeSequenceWhereItIsNotWanted) {
  for (const char* wish : {"NO_COLOR=1", "TERM=dumb"}) {
    Terminal list({"/usr/bin/env", wish, Binary(), "list", "--server", "127.0.0.1:1"});
    const std::string seen = list.AwaitEnd();
    EXPECT_THAT(seen, HasSubstr("mimeo: nobody answers"));
    EXPECT_THAT(seen, Not(HasSubstr("\033"))) << wish;
    EXPECT_EQ(list.ExitCode(), 3);
  }
}

}  // namespace
}  // namespace mimeo
