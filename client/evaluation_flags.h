// What `run` and `submit` judge a job by whose photos the command line names. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "proto/job.pb.h"

namespace CLI {
class App;
}

namespace mimeo {

// The share that is held out of --data where a recipe's own held-out images do not go with it.
inline constexpr double kUsualHoldOut = 0.1;

struct EvaluationFlags {
  std::optional<double> hold_out;  // evaluation.hold_out
  std::string evaluate;            // evaluation.path; empty: not given
};

// Adds --hold_out and --evaluate, of which at most one may be given.
void AddEvaluationFlags(CLI::App* verb, EvaluationFlags* flags);

// Puts the flags into a recipe to which --set was applied, and --data, which may be empty, not yet.
//
// With --data, images that the recipe names beside its own data.path (evaluation.path, bank_path) are of other photos:
// they are dropped, and kUsualHoldOut is held out of --data, unless one of the flags or a --set of such a field says
// what to judge by, or --data is the recipe's own data.path. Returns a sentence for the terminal about what was decided
// so; empty: nothing was.
std::string ApplyEvaluationFlags(const EvaluationFlags& flags, const std::string& data,
                                 const std::vector<std::string>& sets, JobSpec* spec);

}  // namespace mimeo
