// A command line in plain words: what its options take, what is wrong with what a person typed, and its help. All of it
// is read from the parser's own tables, so there is one list of commands and options. Pure functions.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
class ParseError;
}  // namespace CLI

namespace mimeo {

// What stands behind an option.
struct OptionValue {
  std::string word;                  // "TEXT" or "NUMBER"; empty for a flag, which takes no value
  std::vector<std::string> choices;  // Where only these are allowed.
  std::string range;                 // "from 1 to 64" or "above 0", where a number has limits
};
OptionValue ValueOf(const CLI::Option& option);

// The longest name, with its dashes: "--output". Of an argument its word: "JOB".
std::string NameOf(const CLI::Option& option);

// The program and the commands below it that were named, outermost first: mimeo, evaluate, knn. After a parse.
std::vector<const CLI::App*> NamedCommands(const CLI::App& app);
// "mimeo evaluate knn". A path to the program's file is cut to its name.
std::string FullName(const std::vector<const CLI::App*>& commands);

// What is wrong, in one line or some: an unknown command or option with the one that is nearest, everything that is
// missing at once, a value that is not allowed with those that are. Then where the help is. It repeats the command
// line, so it may have any bytes.
std::string FaultText(const CLI::App& app, const CLI::ParseError& error);

// Gives the program and all its commands a help whose lines have at most 80 columns: what it does, how it is typed, its
// arguments, its options and its commands by groups.
void UsePlainHelp(CLI::App* app);

}  // namespace mimeo
