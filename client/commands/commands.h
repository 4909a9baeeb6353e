// The verbs of `mimeo`, each added to the command line with its flags, help and example. One thread.
#pragma once

#include <CLI/CLI.hpp>

#include <functional>
#include <string>
#include <vector>

namespace mimeo {

// What all verbs share, and which one was asked for.
struct Invocation {
  std::string server = "127.0.0.1:7070";
  std::string output = "table";
  std::function<int()> run;  // set by the verb that the command line names; returns the exit code
  bool json() const { return output == "json"; }
};

void AddRun(CLI::App* app, Invocation* invocation);
void AddSubmit(CLI::App* app, Invocation* invocation);    // submit, watch
void AddJobVerbs(CLI::App* app, Invocation* invocation);  // list, show, explain, cancel, pause, resume, metrics
void AddDelete(CLI::App* app, Invocation* invocation);
void AddClusterVerbs(CLI::App* app, Invocation* invocation);  // workers, drain, undrain, teachers, checkpoints
void AddToolVerbs(CLI::App* app, Invocation* invocation);     // export, embed, reconstruct, evaluate

// A verb with an example under its --help.
CLI::App* AddVerb(CLI::App* app, const std::string& name, const std::string& does, const std::string& example);

// A name or an address, which goes to the coordinator or to libraries that log it: one that is not UTF-8, or that has a
// control character, is refused.
CLI::Option* AddText(CLI::App* verb, const std::string& name, std::string* value, const std::string& help);

// Likewise for one value or more.
CLI::Option* AddTexts(CLI::App* verb, const std::string& name, std::vector<std::string>* values,
                      const std::string& help);

// A verb with one required argument: `run` gets it, and returns the exit code. `example` of the argument.
CLI::App* AddVerbOn(CLI::App* app, Invocation* invocation, const std::string& name, const std::string& does,
                    const std::string& argument, const std::string& help, const std::string& example,
                    const std::function<int(const Invocation&, const std::string&)>& run);

}  // namespace mimeo
