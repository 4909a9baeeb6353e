// `worker agent`: a host's agent as a process.
#pragma once

#include <vector>

#include "proto/event.pb.h"

namespace mimeo {

// The devices in the order in which slots take them, when the first slot takes device `first` of them. Pure.
std::vector<DeviceInfo> FromDevice(std::vector<DeviceInfo> devices, int first);

// argv[0] is "agent". Blocks until the agent has ended, and returns the process's exit code: 0 after a signal to stop,
// 1 after an error, 2 when the flags are wrong.
int RunAgent(int argc, char** argv);

}  // namespace mimeo
