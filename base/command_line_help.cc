#include <CLI/CLI.hpp>
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/columns.h"
#include "base/command_line_words.h"

namespace mimeo {
namespace {

constexpr size_t kWidth = 80;
constexpr size_t kNamesWidest = 26;  // a longer name has a line of its own

// Words of `text` in lines of at most kWidth columns, of which all but the first begin with `indent` spaces. The first
// begins at column `at`.
std::string Wrapped(absl::string_view text, size_t at, size_t indent) {
  std::string lines;
  size_t column = at;
  for (const absl::string_view word : absl::StrSplit(text, absl::ByAnyChar(" \n"), absl::SkipEmpty())) {
    if (column > std::max(at, indent) && column + 1 + ColumnsOf(word) > kWidth) {
      absl::StrAppend(&lines, "\n", std::string(indent, ' '));
      column = indent;
    } else if (!lines.empty()) {
      lines.push_back(' ');
      ++column;
    }
    absl::StrAppend(&lines, word);
    column += ColumnsOf(word);
  }
  return lines;
}

using Rows = std::vector<std::pair<std::string, std::string>>;

// Names and what they mean, the meanings one under the other.
std::string Columns(const std::string& title, const Rows& rows) {
  if (rows.empty()) return "";
  size_t widest = 0;
  for (const auto& [name, meaning] : rows) {
    if (ColumnsOf(name) <= kNamesWidest) widest = std::max(widest, ColumnsOf(name));
  }
  const size_t indent = widest + 4;
  std::string text = absl::StrCat("\n", title, ":\n");
  for (const auto& [name, meaning] : rows) {
    absl::StrAppend(&text, "  ", name);
    const size_t column = 2 + ColumnsOf(name);
    absl::StrAppend(&text, column + 2 > indent ? "\n" + std::string(indent, ' ') : std::string(indent - column, ' '),
                    Wrapped(meaning, indent, indent), "\n");
  }
  return text;
}

std::string MeaningOf(const CLI::Option& option) {
  const OptionValue value = ValueOf(option);
  std::string meaning = option.get_description();
  if (!value.choices.empty()) absl::StrAppend(&meaning, " (", absl::StrJoin(value.choices, ", "), ")");
  if (!value.range.empty()) absl::StrAppend(&meaning, " (", value.range, ")");
  if (option.get_required() && !option.get_positional()) absl::StrAppend(&meaning, " (required)");
  return meaning;
}

// "-o, --output TEXT"
std::string NamesOf(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  const std::string value = ValueOf(option).word;
  return absl::StrCat(absl::StrJoin(names, ", "), value.empty() ? "" : " ", value);
}

class PlainHelp : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode /*mode*/) const override {
    std::string usage = absl::StrCat("Usage: ", name);
    Rows arguments, options;
    for (const CLI::Option* option : app->get_options()) {
      if (option->get_positional()) {
        arguments.emplace_back(NameOf(*option), MeaningOf(*option));
        const std::string more = option->get_expected_max() > 1 ? "..." : "";
        absl::StrAppend(&usage, option->get_required() ? absl::StrCat(" ", NameOf(*option), more)
                                                       : absl::StrCat(" [", NameOf(*option), more, "]"));
        continue;
      }
      if (option->get_required()) absl::StrAppend(&usage, " ", NameOf(*option), " ", ValueOf(*option).word);
      options.emplace_back(NamesOf(*option), MeaningOf(*option));
    }
    std::string commands;
    for (const std::string& group : GroupsOf(*app)) {
      Rows rows;
      for (const CLI::App* command : CommandsOf(*app)) {
        if (command->get_group() == group) rows.emplace_back(command->get_name(), command->get_description());
      }
      absl::StrAppend(&commands, Columns(group, rows));
    }
    absl::StrAppend(&usage, options.empty() ? "" : " [OPTIONS]", commands.empty() ? "" : " COMMAND");
    return absl::StrCat(Wrapped(app->get_description(), 0, 0), "\n", Wrapped(usage, 0, 7), "\n",
                        Columns("Arguments", arguments), commands, Columns("Options", options), OuterOptions(*app),
                        app->get_footer().empty() ? "" : absl::StrCat("\n", app->get_footer(), "\n"));
  }

 private:
  static std::vector<const CLI::App*> CommandsOf(const CLI::App& app) {
    return app.get_subcommands([](const CLI::App* command) { return !command->get_group().empty(); });
  }
  // In the order of their first commands.
  static std::vector<std::string> GroupsOf(const CLI::App& app) {
    std::vector<std::string> groups;
    for (const CLI::App* command : CommandsOf(app)) {
      if (std::find(groups.begin(), groups.end(), command->get_group()) == groups.end()) {
        groups.push_back(command->get_group());
      }
    }
    return groups;
  }
  static std::string OuterOptions(const CLI::App& app) {
    const CLI::App* root = &app;
    while (root->get_parent() != nullptr) root = root->get_parent();
    if (root == &app) return "";
    std::vector<std::string> names;
    for (const CLI::Option* option : root->get_options()) {
      if (!ValueOf(*option).word.empty()) names.push_back(NameOf(*option));
    }
    return names.empty() ? "" : absl::StrCat("  ", absl::StrJoin(names, ", "), ": as for every command\n");
  }
};

void UseFormatter(CLI::App* app, const std::shared_ptr<CLI::FormatterBase>& formatter) {
  app->formatter(formatter);
  for (CLI::App* command : app->get_subcommands([](CLI::App*) { return true; })) UseFormatter(command, formatter);
}

}  // namespace

void UsePlainHelp(CLI::App* app) { UseFormatter(app, std::make_shared<PlainHelp>()); }

}  // namespace mimeo
