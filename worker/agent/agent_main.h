// `worker agent`: a host's agent as a process.
#pragma once

namespace mimeo {

// argv[0] is "agent". Returns the process's exit code: 0 stopped by a signal, 1 failed, 2 the flags are wrong.
int RunAgent(int argc, char** argv);

}  // namespace mimeo
