// `worker agent`: a host's agent as a process.
#pragma once

namespace mimeo {

// argv[0] is "agent". Blocks until the agent has ended, and returns the process's exit code: 0 after a signal to stop,
// 1 after an error, 2 when the flags are wrong.
int RunAgent(int argc, char** argv);

}  // namespace mimeo
