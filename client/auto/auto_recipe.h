// The recipe of a run that was started without one: it is chosen from the photos and the machine, and written into the
// folder of the run. One thread.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/auto/choose.h"
#include "client/run/run_command.h"

namespace mimeo {

// Looks at the photos of flags.data, at flags.from and flags.distill, and at this machine; chooses; and trains the
// choice for some seconds to measure its pace. What was found and chosen, and why, goes to `says`, a line each. It
// blocks for seconds, or minutes where the photos are many. Call BlockStopSignals before: then Ctrl-C ends it.
//
// InvalidArgument: the flags, the photos or the weights are not fit; the message says which and what would be right.
// Cancelled: Ctrl-C. Other errors are those of the child processes.
absl::StatusOr<Choice> MakeChoice(const RunFlags& flags, std::FILE* says);

// The problems of the flags that come with --data in place of a recipe, or that are no use with a recipe. Looks at no
// file.
absl::Status CheckAutoFlags(const RunFlags& flags);

// The command line that asks for this choice: "mimeo run --data photos --minutes 10". `verb` is "run" or "init".
std::string ChoiceCommand(const std::string& verb, const RunFlags& flags);

// `flags` with the recipe to run. With a recipe they are returned as they are. Otherwise OUT/recipe.textproto is read;
// where there is none it is chosen (MakeChoice) and written. The errors are those of CheckAutoFlags and MakeChoice;
// AlreadyExists: the folder OUT holds a run of other photos or weights.
absl::StatusOr<RunFlags> WithRecipe(const RunFlags& flags);

}  // namespace mimeo
