// mimeo: the command line of a person. Links no torch; what computes on this machine is the worker binary's work.
#include <CLI/CLI.hpp>

#include "base/address.h"
#include "base/command_line.h"
#include "base/print.h"
#include "base/version.h"
#include "client/commands/commands.h"
#include "client/exit_code.h"
#include "client/print.h"

namespace {

// The exit code of a command that ended with `code`: it has failed where its answer did not arrive.
int Answered(int code) {
  const absl::Status printed = mimeo::Printed(stdout);
  if (!printed.ok()) mimeo::PrintError(printed);
  return printed.ok() || code != mimeo::kDone ? code : mimeo::kFailed;
}

}  // namespace

int main(int argc, char** argv) {
  mimeo::Invocation invocation;
  CLI::App app{"Mimeo pre-trains vision encoders, on this machine or on a cluster.", "mimeo"};
  app.footer(
      "Example:  mimeo run --data photos --out out/mine\n"
      "mimeo help VERB (or mimeo VERB --help) says more of each.\n"
      "Exit codes: 0 done; 1 the job or operation failed; 2 the request was wrong;\n"
      "3 nobody answers at the server's address.");
  app.set_version_flag("--version", mimeo::VersionText());
  app.require_subcommand(1);
  app.fallthrough();  // --server and -o may stand behind the verb
  mimeo::AddText(&app, "--server", &invocation.server,
                 "HOST:PORT of the coordinator (default: MIMEO_SERVER, else 127.0.0.1:7070)")
      ->check([](const std::string& given) {
        return std::string(mimeo::ParseAddress("", given, mimeo::AddressUse::kCall).status().message());
      })
      ->envname("MIMEO_SERVER");
  app.add_option("-o,--output", invocation.output,
                 "table, or json for scripts; `list` has wide (everything) and name (ids alone) too")
      ->check(CLI::IsMember({"table", "json", "wide", "name"}));
  mimeo::AddRun(&app, &invocation);
  mimeo::AddPlan(&app, &invocation);
  mimeo::AddInit(&app, &invocation);
  mimeo::AddSubmit(&app, &invocation);
  mimeo::AddJobVerbs(&app, &invocation);
  mimeo::AddHistoryVerbs(&app, &invocation);
  mimeo::AddDelete(&app, &invocation);
  mimeo::AddClusterVerbs(&app, &invocation);
  mimeo::AddToolVerbs(&app, &invocation);
  mimeo::AddShellVerbs(&app, &invocation);
  mimeo::GroupVerbs(&app);
  if (const auto code = mimeo::ParseCommandLine(&app, argc, argv); code.has_value()) return Answered(*code);
  if (const absl::Status has = invocation.CheckOutput(); !has.ok()) {
    mimeo::PrintError(has);
    return mimeo::ExitCodeOf(has);
  }
  return Answered(invocation.run ? invocation.run() : mimeo::kWrongRequest);
}
