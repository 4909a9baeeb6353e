#include "base/command_line.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <sstream>

#include "base/command_line_words.h"
#include "base/print.h"

namespace mimeo {

std::optional<int> ParseCommandLine(CLI::App* app, int argc, char** argv) {
  UsePlainHelp(app);
  try {
    app->parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help, --version
    std::ostringstream out;
    app->exit(asked, out, out);
    Print(stdout, out.str());
    return 0;
  } catch (const CLI::ParseError& error) {
    Print(stderr, FaultText(*app, error));
    return 2;
  }
  return std::nullopt;
}

}  // namespace mimeo
