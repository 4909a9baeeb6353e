#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/command_line_words.h"
#include "base/nearest_word.h"
#include "base/print.h"
#include "client/commands/call.h"
#include "client/completion.h"
#include "client/exit_code.h"

namespace mimeo {
namespace {

using Groups = std::vector<std::pair<std::string, std::vector<std::string>>>;

const Groups& VerbGroups() {
  static const Groups* const groups =
      new Groups{{"Train", {"run", "init", "plan", "submit", "watch"}},
                 {"Look", {"list", "show", "explain", "events", "logs", "metrics", "checkpoints"}},
                 {"Control", {"pause", "resume", "cancel", "delete"}},
                 {"Cluster", {"workers", "drain", "undrain", "teachers"}},
                 {"Encoders", {"export", "embed", "reconstruct", "evaluate"}},
                 {"This command", {"help", "completion"}}};
  return *groups;
}

// The help of the verb that `words` name, one below the other: evaluate, knn.
int Help(const CLI::App& app, const std::vector<std::string>& words) {
  const CLI::App* verb = &app;
  std::string name = app.get_name();
  for (const std::string& word : words) {
    std::vector<std::string> names;
    const CLI::App* found = nullptr;
    for (const CLI::App* next : verb->get_subcommands([](const CLI::App*) { return true; })) {
      names.push_back(next->get_name());
      if (next->get_name() == word) found = next;
    }
    if (found == nullptr) {
      const std::string nearest = NearestWord(word, names);
      return Ended(absl::InvalidArgumentError(absl::StrCat(
          "no command \"", word, "\"", nearest.empty() ? "" : absl::StrCat("; the nearest is \"", nearest, "\""),
          names.empty() ? "" : absl::StrCat("; there are: ", absl::StrJoin(names, ", ")))));
    }
    verb = found;
    absl::StrAppend(&name, " ", word);
  }
  Print(stdout, verb->get_formatter()->make_help(verb, name, CLI::AppFormatMode::Normal));
  return kDone;
}

}  // namespace

void GroupVerbs(CLI::App* app) {
  for (CLI::App* verb : app->get_subcommands([](CLI::App*) { return true; })) {
    verb->group("Others");
    for (const auto& [group, verbs] : VerbGroups()) {
      if (std::find(verbs.begin(), verbs.end(), verb->get_name()) != verbs.end()) verb->group(group);
    }
  }
}

void AddShellVerbs(CLI::App* app, Invocation* invocation) {
  CLI::App* help = AddVerb(app, "help", "What a verb does, its options and an example", "mimeo help run");
  auto words = std::make_shared<std::vector<std::string>>();
  AddTexts(help, "VERB", words.get(), "the verb; without one, all of them are listed");
  help->callback([=] { invocation->run = [=] { return Help(*app, *words); }; });

  CLI::App* completion = AddVerb(app, "completion", "Print a script that completes mimeo's words in a shell",
                                 "source <(mimeo completion bash)      # in ~/.bashrc; zsh likewise, in ~/.zshrc\n"
                                 "  mimeo completion fish | source       # in ~/.config/fish/config.fish");
  auto shell = std::make_shared<std::string>();
  completion->add_option("SHELL", *shell, "the shell")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  completion->callback([=] {
    invocation->run = [=] {
      Print(stdout, CompletionScript(*shell, *app));
      return static_cast<int>(kDone);
    };
  });
}

}  // namespace mimeo
