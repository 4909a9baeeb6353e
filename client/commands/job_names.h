// A JOB on the command line: its id, or its name where only one job has it. One thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/commands/commands.h"

namespace mimeo {

// The id of the job that a person means by `word`. What looks like an id ("j12") is one. NotFound: no job has this
// name. FailedPrecondition: several have it; they are named. Other errors are those of the call.
absl::StatusOr<std::string> FindJob(const Invocation& invocation, const std::string& word);

// Calls `run` with the id of each job. One that fails does not keep the others. Returns the first exit code that is not
// kDone, else kDone.
int ForEachJob(const Invocation& invocation, const std::vector<std::string>& words,
               const std::function<int(const std::string&)>& run);

// Adds a verb on one job or more.
CLI::App* AddJobsVerb(CLI::App* app, Invocation* invocation, const std::string& name, const std::string& does,
                      const std::string& example, const std::function<int(const Invocation&, const std::string&)>& run);

}  // namespace mimeo
