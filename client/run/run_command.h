// `mimeo run`: trains one job on this machine, without a cluster. It starts a coordinator, workers and teacher servers
// as child processes, follows the job, writes its results into a folder, and ends the processes.
//
// The folder also holds the coordinator's store. So the same command, after a Ctrl-C, a crash or a failure, goes on
// from the last checkpoint, and the same command with a longer schedule makes a finished run longer
// (client/run/run_start.h).
#pragma once

#include <string>
#include <vector>

#include "base/rpc/channel_options.h"
#include "client/evaluation_flags.h"

namespace mimeo {

// The flags of the verb, as a person gave them: nothing is checked yet (client/run/run_plan.h does that).
struct RunFlags {
  std::string recipe;                 // the path of the recipe; empty: one is chosen (client/auto/auto_recipe.h)
  std::string data;                   // takes the place of the recipe's data.path where it is not empty
  std::string out;                    // the folder of the results; it is made where it is missing
  std::string init;                   // takes the place of the recipe's init_weights where it is not empty
  int workers = 0;                    // takes the place of the recipe's resources.num_ranks where it is not 0
  std::vector<std::string> sets;      // each is FIELD=VALUE, and is applied to the recipe before the other flags
  EvaluationFlags evaluation;         // what it is judged by, and what of the recipe goes with --data
  std::vector<std::string> teachers;  // each is NAME=WEIGHTS, the file of weights of a teacher of the recipe
  std::string tensorboard;            // a folder for files that TensorBoard reads, or empty
  double minutes = 0;                 // for choosing a recipe: the time it may take; 0: not given
  std::string from;                   // likewise: weights to start from
  std::string distill;                // likewise: weights to mimic
  ChannelOptions channels;
  bool json = false;  // the summary goes to stdout as one JSON object, and all else to stderr
};

// Runs until the job is over and the results are written, and returns the exit code (client/exit_code.h). It blocks
// SIGTERM and SIGINT for the rest of the process: the first one lets the job stop after a checkpoint, the second ends
// the process and its children at once. Call it once, in the main thread, before other threads are started.
int RunCommandMain(const RunFlags& given);

}  // namespace mimeo
