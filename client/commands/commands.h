// The verbs of `mimeo`. Each Add function adds one or some of them to the command line, with flags, help and an
// example. Nothing runs while the command line is parsed: the verb that it names only sets Invocation::run, and main
// calls that. One thread.
#pragma once

#include <CLI/CLI.hpp>

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/rpc/channel_options.h"
#include "client/run/run_command.h"

namespace mimeo {

// What all verbs share, and what the verb that was asked for does. The same object is passed to every Add function and
// must outlive the parsing and the run.
struct Invocation {
  std::string server = "127.0.0.1:7070";  // the coordinator's address
  std::string output = "table";           // or one of the others of `outputs`
  // What -o may be for the verb that was asked for. A verb that has more than these says so when it is parsed.
  std::vector<std::string> outputs = {"table", "json"};
  ChannelOptions channels;
  // Does what was asked for, and returns the exit code (client/exit_code.h). Empty: the command line names no verb.
  std::function<int()> run;
  bool json() const { return output == "json"; }
  // InvalidArgument: the verb has no such output; the message names those that it has.
  absl::Status CheckOutput() const;
};

void AddRun(CLI::App* app, Invocation* invocation);
void AddPlan(CLI::App* app, Invocation* invocation);
void AddInit(CLI::App* app, Invocation* invocation);
void AddSubmit(CLI::App* app, Invocation* invocation);    // submit, watch
void AddJobVerbs(CLI::App* app, Invocation* invocation);  // list, show, explain, cancel, pause, resume, metrics
void AddMetrics(CLI::App* app, Invocation* invocation);
void AddHistoryVerbs(CLI::App* app, Invocation* invocation);  // events, logs
void AddDelete(CLI::App* app, Invocation* invocation);
void AddClusterVerbs(CLI::App* app, Invocation* invocation);  // workers, drain, undrain, teachers, checkpoints
void AddToolVerbs(CLI::App* app, Invocation* invocation);     // export, embed, reconstruct, evaluate
void AddShellVerbs(CLI::App* app, Invocation* invocation);    // help, completion

// Puts the verbs in groups by what a person wants of them. To be called when all verbs are added.
void GroupVerbs(CLI::App* app);

// Adds what `run` and `init` choose a recipe by: --minutes, --from and --distill.
void AddChoiceFlags(CLI::App* verb, RunFlags* flags);

// Adds a verb whose --help ends with `example`.
CLI::App* AddVerb(CLI::App* app, const std::string& name, const std::string& does, const std::string& example);

// Adds an option whose value is a name or an address. It goes to the coordinator and into logs, so a value that is not
// UTF-8, or that has a control character, is refused.
CLI::Option* AddText(CLI::App* verb, const std::string& name, std::string* value, const std::string& help);

// Likewise for one value or more.
CLI::Option* AddTexts(CLI::App* verb, const std::string& name, std::vector<std::string>* values,
                      const std::string& help);

// Adds a verb with one required argument. `run` gets the argument and returns the exit code. `example` is an example of
// the argument.
CLI::App* AddVerbOn(CLI::App* app, Invocation* invocation, const std::string& name, const std::string& does,
                    const std::string& argument, const std::string& help, const std::string& example,
                    const std::function<int(const Invocation&, const std::string&)>& run);

}  // namespace mimeo
