#include "base/command_line.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <sstream>

#include "base/print.h"

namespace mimeo {

std::optional<int> ParseCommandLine(CLI::App* app, int argc, char** argv) {
  try {
    app->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out, errors;
    const int code = app->exit(error, out, errors);
    Print(stdout, out.str());
    Print(stderr, errors.str());
    return code == 0 ? 0 : 2;
  }
  return std::nullopt;
}

}  // namespace mimeo
