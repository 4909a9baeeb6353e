// What the main functions of the tools share: the way from arguments to an exit code.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"

namespace mimeo {

// Parses the arguments, and runs `body` with logs on stderr and `*threads` compute threads (0: libtorch's choice). What
// is logged below a warning waits for ProgressLines to begin, or for the end, and is dropped where `body` fails before,
// so that a refusal stands alone; with MIMEO_LOG in the environment nothing waits. An
// error is printed as text without its code, and so is what libtorch throws. Returns 0, 1 (failed) or 2 (wrong
// arguments, or InvalidArgument, NotFound or PermissionDenied from `body`).
int RunVerb(CLI::App* app, int argc, char** argv, const int* threads, const std::function<absl::Status()>& body);

// Prints it to stdout as one line.
void PrintResult(const nlohmann::ordered_json& result);

// Shows "embed: 320 of 1061 images" on stderr: on a terminal it is rewritten in place, and elsewhere there is a line
// for each tenth of the way.
std::function<void(int64_t done, int64_t of)> ProgressLines(const std::string& what);

}  // namespace mimeo
