#include "base/command_line_words.h"

#include <CLI/CLI.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/nearest_word.h"
#include "base/text.h"

namespace mimeo {
namespace {

// On one line, whatever bytes a person gave.
std::string Quoted(const std::string& word) { return absl::StrCat("\"", ToText(word), "\""); }

// "; the nearest is "list"", or nothing.
std::string Nearest(const std::string& given, const std::vector<std::string>& known) {
  const std::string nearest = NearestWord(given, known);
  return nearest.empty() ? "" : absl::StrCat("; the nearest is ", Quoted(nearest));
}

std::vector<std::string> CommandNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

// Of the commands that were named: options of an outer one may stand behind an inner one.
std::vector<std::string> OptionNames(const std::vector<const CLI::App*>& commands) {
  std::vector<std::string> names;
  for (auto command = commands.rbegin(); command != commands.rend(); ++command) {
    for (const CLI::Option* option : (*command)->get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
  }
  return names;
}

// A word that nothing took, and that begins with a dash.
std::string UnknownOption(const std::vector<const CLI::App*>& commands, const std::string& word) {
  const std::string name = word.substr(0, word.find('='));
  return absl::StrCat(FullName(commands), " has no option ", Quoted(name), Nearest(name, OptionNames(commands)));
}

std::string UnknownWord(const std::vector<const CLI::App*>& commands, const std::string& word) {
  const std::vector<std::string> names = CommandNames(*commands.back());
  if (names.empty()) return absl::StrCat(FullName(commands), " does not know what to do with ", Quoted(word));
  // Within the program its name is understood: no command "lst"; within another command it is not.
  const std::string outer = commands.size() == 1 ? "" : commands.back()->get_name() + " ";
  const std::string nearest = NearestWord(word, names);
  return absl::StrCat("no command ", Quoted(outer + word),
                      nearest.empty() ? "" : absl::StrCat("; the nearest is ", Quoted(outer + nearest)));
}

// Everything that must be there and is not.
std::string Missing(const std::vector<const CLI::App*>& commands) {
  std::vector<std::string> missing;
  for (const CLI::App* command : commands) {
    for (const CLI::Option* option : command->get_options()) {
      if (option->get_required() && option->count() == 0) {
        missing.push_back(absl::StrCat(NameOf(*option), " is missing: ", option->get_description()));
      }
    }
  }
  const CLI::App& last = *commands.back();
  if (last.get_require_subcommand_min() > 0 && last.get_subcommands().empty()) {
    const std::string names = absl::StrJoin(CommandNames(last), ", ");
    missing.push_back(commands.size() == 1 ? absl::StrCat("what is to be done? The commands are ", names)
                                           : absl::StrCat("which one? ", names));
  }
  for (std::string& line : missing) line = absl::StrCat(FullName(commands), ": ", line);
  return absl::StrJoin(missing, "\n");
}

// The option that an error of the parser begins with, or null.
const CLI::Option* OptionOf(const std::vector<const CLI::App*>& commands, absl::string_view error) {
  for (const CLI::App* command : commands) {
    for (const CLI::Option* option : command->get_options()) {
      for (const bool all : {false, true}) {
        if (absl::StartsWith(error, absl::StrCat(option->get_name(false, all), ":"))) return option;
        if (absl::StartsWith(error, absl::StrCat("Could not convert: ", option->get_name(false, all), " "))) {
          return option;
        }
      }
    }
  }
  return nullptr;
}

// Why the value of the option is refused: the parser's own words are those of a programmer.
std::string WrongValue(const CLI::Option& option, const std::string& error) {
  const OptionValue value = ValueOf(option);
  const std::string given = option.results().empty() ? "" : option.results().front();
  const std::string allowed = value.range.empty() ? absl::StrCat(value.word == "NUMBER" ? "a number" : "a value")
                                                  : absl::StrCat("a number ", value.range);
  if (absl::StrContains(error, " required but received ")) {
    return absl::StrCat(NameOf(option), " is given more than once");
  }
  if (absl::EndsWith(error, " missing")) return absl::StrCat(NameOf(option), ": ", allowed, " should stand behind it");
  if (!value.choices.empty()) {
    return absl::StrCat(NameOf(option), ": ", Quoted(given), " is none of ", absl::StrJoin(value.choices, ", "),
                        Nearest(given, value.choices));
  }
  if (value.word == "NUMBER") return absl::StrCat(NameOf(option), ": ", Quoted(given), " is not ", allowed);
  // A check of ours, whose words are plain.
  const size_t colon = error.find(": ");
  return absl::StrCat(NameOf(option), ": ", ToText(colon == std::string::npos ? error : error.substr(colon + 2)));
}

std::string WhatIsWrong(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<const CLI::App*> commands = NamedCommands(app);
  // A word that is misspelt is the reason for whatever else seems to be missing.
  for (const std::string& word : app.remaining(/*recurse=*/true)) {
    if (word == "--") continue;
    return absl::StartsWith(word, "-") && word.size() > 1 ? UnknownOption(commands, word) : UnknownWord(commands, word);
  }
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError)) {
    const std::string missing = Missing(commands);
    if (!missing.empty()) return missing;
  }
  const CLI::Option* option = OptionOf(commands, error.what());
  return absl::StrCat(FullName(commands), ": ",
                      option == nullptr ? ToText(error.what()) : WrongValue(*option, error.what()));
}

}  // namespace

OptionValue ValueOf(const CLI::Option& option) {
  OptionValue value;
  if (option.get_items_expected_max() == 0) return value;
  // "INT:INT in [1 - 64]", "TEXT:{table,json}", "UINT:POSITIVE"
  const std::string type = option.get_type_name();
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(type, absl::MaxSplits(':', 1));
  value.word = parts.first == "TEXT" || parts.first.empty() ? "TEXT" : "NUMBER";
  absl::string_view limits = parts.second;
  if (absl::ConsumePrefix(&limits, "{") && absl::ConsumeSuffix(&limits, "}")) {
    value.choices = absl::StrSplit(limits, ',');
  } else if (const size_t from = limits.find("in ["); from != absl::string_view::npos) {
    const std::pair<std::string, std::string> ends = absl::StrSplit(
        absl::StripSuffix(limits.substr(from + absl::string_view("in [").size()), "]"), absl::MaxSplits(" - ", 1));
    value.range = absl::StrCat("from ", ends.first, " to ", ends.second);
  } else if (limits == "POSITIVE") {
    value.range = "above 0";
  } else if (limits == "NONNEGATIVE") {
    value.range = "of 0 or more";
  }
  return value;
}

std::string NameOf(const CLI::Option& option) {
  std::string longest;
  for (const std::string& name : option.get_lnames()) {
    if (name.size() > longest.size()) longest = name;
  }
  if (!longest.empty()) return "--" + longest;
  return option.get_snames().empty() ? option.get_name(/*positional=*/true) : "-" + option.get_snames().front();
}

std::vector<const CLI::App*> NamedCommands(const CLI::App& app) {
  std::vector<const CLI::App*> commands = {&app};
  while (!commands.back()->get_subcommands().empty()) commands.push_back(commands.back()->get_subcommands().back());
  return commands;
}

std::string FullName(const std::vector<const CLI::App*>& commands) {
  std::vector<std::string> names;
  names.reserve(commands.size());
  for (const CLI::App* command : commands) names.push_back(command->get_name());
  const size_t slash = names.front().rfind('/');
  if (slash != std::string::npos) names.front().erase(0, slash + 1);
  return absl::StrJoin(names, " ");
}

std::string FaultText(const CLI::App& app, const CLI::ParseError& error) {
  return absl::StrCat(WhatIsWrong(app, error), "\n", FullName(NamedCommands(app)), " --help says what there is\n");
}

}  // namespace mimeo
