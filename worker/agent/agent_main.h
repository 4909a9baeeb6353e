// `worker agent`: a host's agent as a process.
#pragma once

#include <string>

namespace mimeo {

// argv[0] is "agent". `libtorch`: the version of which its ranks, this same binary, link it; the agent itself needs
// none. Returns the process's exit code: 0 stopped by a signal, 1 failed, 2 the flags are wrong.
int RunAgent(int argc, char** argv, const std::string& libtorch = "");

}  // namespace mimeo
