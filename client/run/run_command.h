// `mimeo run`: a coordinator, workers and teachers on this machine, one job, and its results in a folder.
#pragma once

#include <string>
#include <vector>

#include "base/rpc/channel_options.h"

namespace mimeo {

struct RunFlags {
  std::string recipe;                 // path of a text proto
  std::string data;                   // images; over the recipe's data.path where not empty
  std::string out;                    // folder of results
  std::string init;                   // encoder weights to start from, or empty
  int workers = 0;                    // 0: resources.num_ranks
  std::vector<std::string> sets;      // FIELD=VALUE
  std::vector<std::string> teachers;  // NAME=WEIGHTS
  ChannelOptions channels;
  bool json = false;  // the summary on stdout as one JSON object
};

// Returns the process's exit code (client/exit_code.h).
int RunCommandMain(const RunFlags& flags);

}  // namespace mimeo
