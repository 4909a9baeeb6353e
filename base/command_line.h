// The command line of a process.
#pragma once

#include <optional>

namespace CLI {
class App;
}

namespace mimeo {

// Reads the flags of `app` from the command line. A value is the exit code with which the process ends now: 0 after
// --help or --version, whose text is then on standard output; 2 after a wrong command line, whose fault is then on
// standard error. What a person typed is bytes, and comes out as text (base/print.h).
std::optional<int> ParseCommandLine(CLI::App* app, int argc, char** argv);

}  // namespace mimeo
