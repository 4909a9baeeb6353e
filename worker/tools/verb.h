// What the tools' mains share: from arguments to an exit code.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"

namespace mimeo {

// Parses; then runs `body` with logs on stderr and `*threads` compute threads (0: libtorch's choice). An error is
// printed as text, its code left out; so is what libtorch throws. Returns 0, 1 (failed) or 2 (wrong arguments,
// InvalidArgument or NotFound).
int RunVerb(CLI::App* app, int argc, char** argv, const int* threads, const std::function<absl::Status()>& body);

// On stdout, one line.
void PrintResult(const nlohmann::ordered_json& result);

// "embed: 320 of 1061 images" on stderr: rewritten in place on a terminal, else one line a tenth of the way.
std::function<void(int64_t done, int64_t of)> ProgressLines(const std::string& what);

}  // namespace mimeo
