#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/json_text.h"
#include "base/print.h"
#include "base/text.h"
#include "client/commands/call.h"
#include "client/commands/job_names.h"
#include "client/exit_code.h"
#include "client/print.h"

namespace mimeo {
namespace {

struct DeleteFlags {
  std::vector<std::string> jobs;
  bool yes = false;
};

// Asks the person at the terminal. Where nobody sits at one, a script has said what it wants.
bool IsAgreed(const std::vector<std::string>& jobs) {
  if (isatty(STDIN_FILENO) == 0) return true;
  Print(stderr, absl::StrCat("Delete ", absl::StrJoin(jobs, ", "),
                             " with all checkpoints and metrics? This cannot be taken back. [y/N] "));
  std::string answer;
  std::getline(std::cin, answer);
  const std::string word = absl::AsciiStrToLower(absl::StripAsciiWhitespace(answer));
  return word == "y" || word == "yes";
}

std::string DeletedText(const Invocation& invocation, const std::string& job, const DeleteJobReply& reply) {
  if (!invocation.json()) {
    return absl::StrCat(job, ": deleted, with ", reply.checkpoint_bytes(), " bytes of checkpoints\n");
  }
  return JsonText({{"job_id", job}, {"checkpoint_bytes", reply.checkpoint_bytes()}}) + "\n";
}

// Each job on its own: one that cannot be deleted does not keep the others.
int Delete(const Invocation& invocation, const DeleteFlags& flags) {
  if (!flags.yes && !IsAgreed(flags.jobs)) {
    Print(stderr, "nothing was deleted\n");
    return kFailed;
  }
  return ForEachJob(invocation, flags.jobs, [&](const std::string& job) {
    DeleteJobRequest request;
    request.set_job_id(job);
    DeleteJobReply reply;
    const absl::Status status = Call(invocation, &Coordinator::Stub::DeleteJob, request, &reply);
    if (status.ok()) Print(stdout, DeletedText(invocation, job, reply));
    return Ended(status);
  });
}

}  // namespace

void AddDelete(CLI::App* app, Invocation* invocation) {
  CLI::App* verb =
      AddVerb(app, "delete", "Remove ended jobs, their checkpoints and metrics, for good", "mimeo delete j1 j2 --yes");
  auto flags = std::make_shared<DeleteFlags>();
  AddTexts(verb, "JOB", &flags->jobs, "the jobs' ids, or their names")->required();
  verb->add_flag("--yes", flags->yes, "do not ask; where stdin is no terminal, nothing is asked anyway");
  verb->callback(
      [flags, invocation] { invocation->run = [flags, invocation] { return Delete(*invocation, *flags); }; });
}

}  // namespace mimeo
