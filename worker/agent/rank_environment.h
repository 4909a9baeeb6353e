// The environment that a rank process is started with, on top of the agent's own. Free functions without state.
#pragma once

#include <string>
#include <vector>

namespace mimeo {

struct RankEnvironmentOptions {
  int threads = 1;   // compute threads
  std::string host;  // the address that ranks listen on: NCCL uses its interface
  // Where NCCL's flight recorder writes when a collective hangs; libtorch appends the rank's number.
  std::string flight_record_prefix;
  // The worker's devices as CUDA_VISIBLE_DEVICES names them. Empty: ranks see none.
  std::vector<std::string> cuda_devices;
};

// NAME=VALUE lines for the rank in `slot`: its threads, its one device (number slot modulo the number of devices), the
// jemalloc allocator where it is installed, and settings of NCCL. What the agent's own environment sets for NCCL or
// preloads stays as it is, so its owner has the last word.
std::vector<std::string> RankEnvironment(const RankEnvironmentOptions& options, int slot);

// The network interface that has this IPv4 address ("lo" for 127.0.0.1). Empty: none has it.
std::string InterfaceOf(const std::string& address);

}  // namespace mimeo
