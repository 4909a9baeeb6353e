// What `mimeo completion` prints, in the shells themselves. Where zsh or fish is not at hand, its script is only looked
// at.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/find_binary.h"
#include "base/subprocess.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;

class CompletionTest : public ::testing::Test {
 protected:
  // Runs `argv` with PATH=`path_`, and returns what it prints; it must end well.
  std::string Run(std::vector<std::string> argv) {
    std::string said;
    Subprocess::Options options;
    options.argv = std::move(argv);
    options.extra_env = {absl::StrCat("PATH=", path_), "TERM=dumb"};
    options.on_stdout = [&](absl::string_view piece) { absl::StrAppend(&said, piece); };
    options.on_stderr = options.on_stdout;
    const auto child = Subprocess::Start(options);
    EXPECT_TRUE(child.ok()) << child.status();
    const auto ended = (*child)->Wait(Clock::Real()->Now() + absl::Minutes(1));
    EXPECT_TRUE(ended.ok() && ended->ok()) << said;
    return said;
  }

  std::string Script(const std::string& shell) {
    const auto binary = FindBinary("mimeo");
    EXPECT_TRUE(binary.ok()) << binary.status();
    return Run({binary.value_or(""), "completion", shell});
  }

  std::string File(const std::string& name, const std::string& bytes) {
    const std::string path = JoinPath(dir_.path(), name);
    EXPECT_TRUE(WriteFileAtomic(path, bytes).ok());
    return path;
  }

  // A `mimeo` that knows two jobs at one server and answers nothing at any other.
  void ServeJobs() {
    const std::string path =
        File("mimeo", "#!/bin/sh\n[ \"$*\" = '--server here:1 list -o name' ] && printf 'j1\\nj12\\n'\nexit 0\n");
    ASSERT_EQ(chmod(path.c_str(), 0755), 0);
    path_ = absl::StrCat(dir_.path(), ":", path_);
  }

  // What bash offers for the last of `words`.
  std::vector<std::string> Offered(const std::vector<std::string>& words) {
    std::string quoted;
    for (const std::string& word : words) absl::StrAppend(&quoted, " '", word, "'");
    const std::string script = absl::StrCat(Script("bash"), "COMP_WORDS=(", quoted, ")\nCOMP_CWORD=", words.size() - 1,
                                            "\n_mimeo\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n");
    return absl::StrSplit(Run({"/bin/bash", File("script", script)}), '\n', absl::SkipEmpty());
  }

  TempDir dir_;
  std::string path_ = "/usr/bin:/bin";
};

TEST_F(CompletionTest, VerbsOptionsAndValues) {
  EXPECT_THAT(Offered({"mimeo", "re"}), ElementsAre("resume", "reconstruct"));
  EXPECT_THAT(Offered({"mimeo", "evaluate", ""}), IsSupersetOf({"knn", "linear"}));
  EXPECT_THAT(Offered({"mimeo", "run", "recipe", "--se"}), ElementsAre("--set", "--server"));
  EXPECT_THAT(Offered({"mimeo", "evaluate", "knn", "--ban"}), ElementsAre("--bank"));
  EXPECT_THAT(Offered({"mimeo", "export", "j1", "--dtype", ""}), ElementsAre("fp32", "bf16"));
  EXPECT_THAT(Offered({"mimeo", "-o", "js"}), ElementsAre("json"));
  EXPECT_THAT(Offered({"mimeo", "--server", "list", "completion", "f"}), IsEmpty()) << "a value is no verb";
  EXPECT_THAT(Offered({"mimeo", "--server", "list", "dr"}), ElementsAre("drain"));
  EXPECT_THAT(Offered({"mimeo", "drain", "--wait", "--se"}), ElementsAre("--server"));
  EXPECT_THAT(Offered({"mimeo", "--version", "expl"}), ElementsAre("explain")) << "a flag takes no value";
  EXPECT_THAT(Offered({"mimeo", "run", "--data", ""}), IsEmpty()) << "names of files are bash's own";
}

TEST_F(CompletionTest, JobsComeFromTheServerOfTheCommandLine) {
  ServeJobs();
  EXPECT_THAT(Offered({"mimeo", "--server", "here:1", "show", ""}), ElementsAre("j1", "j12"));
  EXPECT_THAT(Offered({"mimeo", "pause", "--server", "here:1", "j12"}), ElementsAre("j12"));
  EXPECT_THAT(Offered({"mimeo", "show", ""}), IsEmpty()) << "nobody answers there, and nothing is said of it";
  EXPECT_THAT(Offered({"mimeo", "--server", "here:1", "workers", ""}), IsEmpty());
}

TEST_F(CompletionTest, ZshReadsItsScript) {
  const std::string script = Script("zsh");
  EXPECT_TRUE(absl::StartsWith(script, "#compdef mimeo\n"));
  if (!FileExists("/usr/bin/zsh")) GTEST_SKIP() << "zsh is not here";
  Run({"/usr/bin/zsh", "-f", "-n", File("script", script)});
  const std::string asked =
      absl::StrCat(script, "emulate -L zsh; setopt ksharrays\nCOMP_WORDS=(mimeo show -)\nCOMP_CWORD=2\n",
                   "compgen() { print -r -- \"$2\" }\n_mimeo\nprint -r -- ${COMPREPLY[@]}\n");
  EXPECT_THAT(Run({"/usr/bin/zsh", "-f", File("asked", asked)}), HasSubstr("--server"));
}

TEST_F(CompletionTest, FishReadsItsScript) {
  const std::string script = Script("fish");
  EXPECT_THAT(script, HasSubstr("complete -c mimeo -n \"__mimeo_at 'export'\" -l dtype -x -a 'fp32 bf16' -d '"));
  EXPECT_THAT(script, HasSubstr("complete -c mimeo -n \"__mimeo_at 'show'\" -f -a '(__mimeo_jobs)'"));
  EXPECT_THAT(script, Not(HasSubstr("__mimeo_at 'workers'\" -f -a '(__mimeo_jobs)'")));
  if (!FileExists("/usr/bin/fish")) GTEST_SKIP() << "fish is not here";
  ServeJobs();
  const std::string path = File("script.fish", script);
  const auto offered = [&](const std::string& line) {
    return Run({"/usr/bin/fish", "--no-config", "-c", absl::StrCat("source ", path, "; complete -C '", line, "'")});
  };
  EXPECT_THAT(offered("mimeo evaluate k"), HasSubstr("knn\t"));
  EXPECT_THAT(offered("mimeo --server list export j1 --dtype "), HasSubstr("bf16"));
  EXPECT_THAT(offered("mimeo --server here:1 show j"), HasSubstr("j1"));
}

}  // namespace
}  // namespace mimeo
