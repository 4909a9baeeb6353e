#include "client/completion.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/command_line_words.h"

namespace mimeo {
namespace {

// One command, such as "evaluate knn", as the parser has it.
struct Command {
  std::string path;  // the words behind "mimeo"; empty for mimeo itself
  std::vector<const CLI::App*> verbs;
  std::vector<const CLI::Option*> options;  // its own, and those of mimeo itself, which may stand behind any verb
  bool takes_job = false;
};

void Collect(const CLI::App& app, const std::string& path, std::vector<Command>* commands) {
  Command command;
  command.path = path;
  command.verbs = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional()) {
      command.options.push_back(option);
    } else if (NameOf(*option) == "JOB") {
      command.takes_job = true;
    }
  }
  if (!path.empty()) {
    for (const CLI::Option* option : commands->front().options) {
      if (!ValueOf(*option).word.empty()) command.options.push_back(option);
    }
  }
  commands->push_back(command);
  for (const CLI::App* verb : command.verbs) {
    Collect(*verb, absl::StrCat(path, path.empty() ? "" : " ", verb->get_name()), commands);
  }
}

std::vector<std::string> NamesOf(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  return names;
}

// Within single quotes.
std::string Quoted(absl::string_view text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

// Tables of bash that zsh reads too: for each command its verbs, its options, those of them that take a value, and the
// values that are allowed.
std::string BashTables(const std::vector<Command>& commands) {
  std::string verbs, options, valued, choices, jobs;
  for (const Command& command : commands) {
    std::vector<std::string> below, all, with_value;
    for (const CLI::App* verb : command.verbs) below.push_back(verb->get_name());
    for (const CLI::Option* option : command.options) {
      const OptionValue value = ValueOf(*option);
      for (const std::string& name : NamesOf(*option)) {
        all.push_back(name);
        if (!value.word.empty()) with_value.push_back(name);
        if (value.choices.empty()) continue;
        absl::StrAppend(&choices, "    ", Quoted(absl::StrCat(command.path, ":", name)), ") echo ",
                        Quoted(absl::StrJoin(value.choices, " ")), " ;;\n");
      }
    }
    const std::string label = absl::StrCat("    ", Quoted(command.path), ") echo ");
    if (!below.empty()) absl::StrAppend(&verbs, label, Quoted(absl::StrJoin(below, " ")), " ;;\n");
    absl::StrAppend(&options, label, Quoted(absl::StrJoin(all, " ")), " ;;\n");
    absl::StrAppend(&valued, label, Quoted(absl::StrJoin(with_value, " ")), " ;;\n");
    if (command.takes_job) absl::StrAppend(&jobs, jobs.empty() ? "" : "|", Quoted(command.path));
  }
  const auto function = [](const std::string& name, const std::string& of, const std::string& rows) {
    return absl::StrCat("_mimeo_", name, "() {\n  case ", of, " in\n", rows, "  esac\n}\n");
  };
  return absl::StrCat(function("verbs", "\"$1\"", verbs), function("options", "\"$1\"", options),
                      function("valued", "\"$1\"", valued), function("choices", "\"$1:$2\"", choices),
                      "_mimeo_takes_job() {\n  case \"$1\" in\n    ", jobs, ") return 0 ;;\n  esac\n  return 1\n}\n");
}

// `words` is what was typed, `current` the number of the word that is completed. The verb is found by going through the
// words before it, without the values of options.
constexpr absl::string_view kBashFunction = R"sh(_mimeo() {
  local word="${COMP_WORDS[COMP_CWORD]}" before="" verb="" server="" i next
  for ((i = 1; i < COMP_CWORD; ++i)); do
    before="${COMP_WORDS[i]}"
    if [[ " $(_mimeo_valued "$verb") " == *" $before "* ]]; then
      ((i + 1 == COMP_CWORD)) && break
      [[ "$before" == --server ]] && server="${COMP_WORDS[i + 1]}"
      ((++i))
      before=""
      continue
    fi
    next="${verb:+$verb }$before"
    [[ " $(_mimeo_verbs "$verb") " == *" $before "* ]] && verb="$next"
    before=""
  done
  COMPREPLY=()
  if [[ -n "$before" ]]; then
    COMPREPLY=($(compgen -W "$(_mimeo_choices "$verb" "$before")" -- "$word"))
  elif [[ "$word" == -* ]]; then
    COMPREPLY=($(compgen -W "$(_mimeo_options "$verb")" -- "$word"))
  elif [[ -n "$(_mimeo_verbs "$verb")" ]]; then
    COMPREPLY=($(compgen -W "$(_mimeo_verbs "$verb")" -- "$word"))
  elif _mimeo_takes_job "$verb"; then
    COMPREPLY=($(compgen -W "$(timeout 2 mimeo ${server:+--server "$server"} list -o name 2>/dev/null)" -- "$word"))
  fi
}
)sh";

std::string BashScript(const std::vector<Command>& commands) {
  return absl::StrCat("# bash: source <(mimeo completion bash)\n", BashTables(commands), kBashFunction,
                      "complete -o default -F _mimeo mimeo\n");
}

// zsh runs completions that are written for bash; compinit must have run, as it has where any completion works.
std::string ZshScript(const std::vector<Command>& commands) {
  return absl::StrCat("#compdef mimeo\n# zsh: source <(mimeo completion zsh)\n",
                      "(( ${+functions[compdef]} )) || { autoload -Uz compinit && compinit -i; }\n",
                      "autoload -Uz bashcompinit && bashcompinit\n", BashTables(commands), kBashFunction,
                      "complete -o default -F _mimeo mimeo\n");
}

constexpr absl::string_view kFishFunctions =
    R"sh(function __mimeo_at --description 'whether the words so far are of this command'
    set -l words (commandline -opc)
    set -l verb
    set -l skip 0
    for word in $words[2..-1]
        if test $skip -eq 1
            set skip 0
        else if contains -- $word $__mimeo_valued
            set skip 1
        else if contains -- (string join ' ' $verb $word) $__mimeo_commands
            set -a verb $word
        end
    end
    test "$verb" = "$argv[1]"
end
function __mimeo_jobs
    set -l words (commandline -opc)
    set -l server
    for i in (seq (count $words))
        test "$words[$i]" = --server; and set server --server $words[(math $i + 1)]
    end
    timeout 2 mimeo $server list -o name 2>/dev/null
end
)sh";

std::string FishOption(const Command& command, const CLI::Option& option) {
  const OptionValue value = ValueOf(option);
  std::string line = absl::StrCat("complete -c mimeo -n \"__mimeo_at '", command.path, "'\"");
  for (const std::string& name : option.get_lnames()) absl::StrAppend(&line, " -l ", name);
  for (const std::string& name : option.get_snames()) absl::StrAppend(&line, " -s ", name);
  if (!value.choices.empty()) {
    absl::StrAppend(&line, " -x -a ", Quoted(absl::StrJoin(value.choices, " ")));
  } else if (!value.word.empty()) {
    absl::StrAppend(&line, " -r");
  }
  return absl::StrCat(line, " -d ", Quoted(option.get_description()), "\n");
}

std::string FishScript(const std::vector<Command>& commands) {
  std::string lines;
  std::vector<std::string> paths, valued;
  for (const Command& command : commands) {
    const std::string at = absl::StrCat("complete -c mimeo -n \"__mimeo_at '", command.path, "'\"");
    if (!command.path.empty()) paths.push_back(Quoted(command.path));
    for (const CLI::App* verb : command.verbs) {
      absl::StrAppend(&lines, at, " -f -a ", verb->get_name(), " -d ", Quoted(verb->get_description()), "\n");
    }
    for (const CLI::Option* option : command.options) {
      absl::StrAppend(&lines, FishOption(command, *option));
      if (!ValueOf(*option).word.empty()) {
        for (const std::string& name : NamesOf(*option)) valued.push_back(name);
      }
    }
    if (command.takes_job) absl::StrAppend(&lines, at, " -f -a '(__mimeo_jobs)'\n");
  }
  std::sort(valued.begin(), valued.end());
  valued.erase(std::unique(valued.begin(), valued.end()), valued.end());
  return absl::StrCat("# fish: mimeo completion fish | source\nset -g __mimeo_commands ", absl::StrJoin(paths, " "),
                      "\nset -g __mimeo_valued ", absl::StrJoin(valued, " "), "\n", kFishFunctions, lines);
}

}  // namespace

std::string CompletionScript(absl::string_view shell, const CLI::App& app) {
  std::vector<Command> commands;
  Collect(app, "", &commands);
  if (shell == "fish") return FishScript(commands);
  return shell == "zsh" ? ZshScript(commands) : BashScript(commands);
}

}  // namespace mimeo
