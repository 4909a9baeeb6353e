// The environment that a rank process is started with, over the agent's own. Free functions; one thread.
#pragma once

#include <string>
#include <vector>

namespace mimeo {

struct RankEnvironmentOptions {
  int threads = 1;   // compute threads
  std::string host;  // the address that ranks listen on: NCCL uses its interface
  std::string
      flight_record_prefix;  // where NCCL's flight recorder writes when a collective hangs; the rank number follows
  std::vector<std::string> cuda_devices;  // of the worker, as CUDA_VISIBLE_DEVICES names them; empty: ranks see none
};

// NAME=VALUE lines for the rank in `slot`, which gets device number slot modulo their number. What the agent's own
// environment sets for NCCL, or preloads, stays.
std::vector<std::string> RankEnvironment(const RankEnvironmentOptions& options, int slot);

// The network interface that has this IPv4 address ("lo" for 127.0.0.1), or empty.
std::string InterfaceOf(const std::string& address);

}  // namespace mimeo
