#include <cstdio>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/output.h"
#include "base/print.h"
#include "base/process.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "client/auto/auto_recipe.h"
#include "client/auto/recipe_text.h"
#include "client/commands/commands.h"
#include "client/exit_code.h"
#include "client/print.h"
#include "client/run/run_command.h"
#include "client/shell_word.h"
#include "job/job_shape.h"

namespace mimeo {
namespace {

absl::Status CheckRecipeOut(const std::string& out) {
  if (out.empty()) return absl::OkStatus();
  if (FileExists(out)) {
    return absl::AlreadyExistsError(absl::StrCat("--out ", ToText(out), " is there already; take another name"));
  }
  return CheckOutputFile("--out", out);
}

absl::Status Init(const RunFlags& flags) {
  RETURN_IF_ERROR(CheckAutoFlags(flags));
  RETURN_IF_ERROR(CheckRecipeOut(flags.out));
  ASSIGN_OR_RETURN(const Choice choice, MakeChoice(flags, stderr));
  const std::string text = ChosenRecipeText(choice, ChoiceCommand("init", flags));
  if (flags.out.empty()) {
    Print(stdout, text);
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(WriteFileAtomic(flags.out, text));
  std::string command = absl::StrCat("mimeo run ", ShellWord(flags.out), " --out OUT");
  for (const std::string& name : TeacherNames(choice.spec)) {
    absl::StrAppend(&command, " --teacher ", ShellWord(absl::StrCat(name, "=", flags.distill)));
  }
  Print(stderr, absl::StrCat("train it with: ", command, "\n"));
  return absl::OkStatus();
}

int InitMain(const RunFlags& flags) {
  BlockStopSignals();
  const absl::Status status = Init(flags);
  if (!status.ok()) PrintError(status);
  return ExitCodeOf(status);
}

}  // namespace

void AddChoiceFlags(CLI::App* verb, RunFlags* flags) {
  verb->add_option("--minutes", flags->minutes,
                   "the time that choosing, training and the verdict may take together (default 10; e.g. 0.5, 600)")
      ->check(CLI::Range(0.05, 60.0 * 24 * 30));
  verb->add_option("--from", flags->from, "weights to go on from: released ones, or out/OTHER/encoder");
  verb->add_option("--distill", flags->distill, "weights of a large encoder that the small one shall mimic");
}

void AddInit(CLI::App* app, Invocation* invocation) {
  CLI::App* const verb = AddVerb(app, "init", "Choose a recipe for photos and this machine, with reasons",
                                 "mimeo init --data photos --minutes 60 --out mine.textproto");
  auto flags = std::make_shared<RunFlags>();
  verb->add_option("--data", flags->data, "images: a folder, class folders, or .tar shards")->required();
  verb->add_option("--out", flags->out, "the file to write (default: to the terminal)");
  verb->add_option("--workers", flags->workers, "rank processes (default: as the machine is best used)")
      ->check(CLI::Range(1, 64));
  AddEvaluationFlags(verb, &flags->evaluation);
  AddChoiceFlags(verb, flags.get());
  verb->callback([flags, invocation] {
    invocation->run = [flags, invocation] {
      flags->channels = invocation->channels;
      return InitMain(*flags);
    };
  });
}

}  // namespace mimeo
