#include "client/commands/job_names.h"

#include <algorithm>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/text.h"
#include "client/commands/call.h"
#include "client/exit_code.h"
#include "client/job_list.h"
#include "job/job_state.h"

namespace mimeo {
namespace {

constexpr size_t kNamed = 20;

bool IsId(const std::string& word) {
  return word.size() > 1 && word[0] == 'j' && std::all_of(word.begin() + 1, word.end(), [](char c) {
           return absl::ascii_isdigit(static_cast<unsigned char>(c));
         });
}

}  // namespace

absl::StatusOr<std::string> FindJob(const Invocation& invocation, const std::string& word) {
  if (IsId(word)) return word;
  std::vector<std::string> found;
  std::string id;
  size_t count = 0;
  ListJobsRequest request;
  request.set_name(word);
  request.set_without_specs(true);
  while (true) {
    ListJobsReply page;
    const absl::Status status = Call(invocation, &Coordinator::Stub::ListJobs, request, &page);
    if (!status.ok()) return status;
    for (const Job& job : page.jobs()) {
      if (NameOf(job) != word) continue;  // a coordinator of an earlier version lists all
      id = job.id();
      if (++count <= kNamed) found.push_back(absl::StrCat(job.id(), " (", StateName(job.state()), ")"));
    }
    if (page.next_page_token().empty() || page.next_page_token() == request.page_token()) break;
    request.set_page_token(page.next_page_token());
  }
  if (count == 1) return id;
  if (count == 0) return absl::NotFoundError(absl::StrCat("no job has the id or the name \"", ToText(word), "\""));
  return absl::FailedPreconditionError(absl::StrCat(count, " jobs are called ", ToText(word), ": ",
                                                    absl::StrJoin(found, ", "), count > kNamed ? ", ..." : "",
                                                    "; say which by its id"));
}

int ForEachJob(const Invocation& invocation, const std::vector<std::string>& words,
               const std::function<int(const std::string&)>& run) {
  int code = kDone;
  for (const std::string& word : words) {
    const absl::StatusOr<std::string> job = FindJob(invocation, word);
    const int ended = job.ok() ? run(*job) : Ended(job.status());
    if (code == kDone) code = ended;
  }
  return code;
}

CLI::App* AddJobsVerb(CLI::App* app, Invocation* invocation, const std::string& name, const std::string& does,
                      const std::string& example,
                      const std::function<int(const Invocation&, const std::string&)>& run) {
  CLI::App* verb = AddVerb(app, name, does, absl::StrCat("mimeo ", name, " ", example));
  auto words = std::make_shared<std::vector<std::string>>();
  AddTexts(verb, "JOB", words.get(), "the jobs' ids, or their names")->required();
  verb->callback([=] {
    invocation->run = [=] {
      return ForEachJob(*invocation, *words, [&](const std::string& job) { return run(*invocation, job); });
    };
  });
  return verb;
}

}  // namespace mimeo
