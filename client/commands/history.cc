// events and logs: what happened to a job, and what its ranks printed.
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/limits.h"
#include "base/print.h"
#include "base/rpc/rpc.h"
#include "base/text.h"
#include "client/commands/call.h"
#include "client/commands/job_names.h"
#include "client/exit_code.h"
#include "client/history_text.h"
#include "client/interrupt.h"
#include "client/json_text.h"

namespace mimeo {
namespace {

constexpr absl::Duration kFollow = absl::Hours(24 * 365);
constexpr absl::Duration kOnce = absl::Seconds(30);
constexpr int kLinesMost = 100000;

// Reads a stream to its end and gives each reply to `show`. Ctrl-C ends it, and says how to come back.
template <typename Reply>
int Follow(const Invocation& invocation, grpc::ClientContext* context, grpc::ClientReader<Reply>* stream,
           Interrupt* interrupt, const std::string& come_back, const std::function<absl::Status(const Reply&)>& show) {
  if (interrupt != nullptr) interrupt->OnInterrupt([context] { context->TryCancel(); });
  Reply reply;
  absl::Status shown = absl::OkStatus();
  while (shown.ok() && stream->Read(&reply)) shown = show(reply);
  if (!shown.ok()) context->TryCancel();
  absl::Status ended = FromGrpc(stream->Finish());
  if (interrupt != nullptr) interrupt->OnInterrupt(nullptr);
  if (interrupt != nullptr && interrupt->wanted()) {
    Print(stderr, absl::StrCat("\n", come_back, " shows it again\n"));
    return kFailed;
  }
  return Ended(shown.ok() ? Explained(ended, invocation.server) : shown);
}

int Events(const Invocation& invocation, const std::string& job_id, bool several, Interrupt* interrupt) {
  grpc::ClientContext context;
  SetDeadline(&context, interrupt != nullptr ? kFollow : kOnce);
  const auto stub = Coordinator::NewStub(OpenChannel(invocation.channels, invocation.server));
  EventsRequest request;
  request.set_job_id(job_id);
  request.set_follow(interrupt != nullptr);
  const auto stream = stub->Events(&context, request);
  int64_t number = 0;
  const auto show = [&](const EventsReply& reply) {
    if (!invocation.json()) {
      Print(stdout, absl::StrCat(several && number == 0 ? absl::StrCat(job_id, ":\n") : "",
                                 EventLines(reply, &number, absl::LocalTimeZone()),
                                 interrupt != nullptr ? "" : NowLine(reply)));
      return absl::OkStatus();
    }
    const auto json = JsonLine(reply);
    if (json.ok()) Print(stdout, *json + "\n");
    return json.status();
  };
  return Follow<EventsReply>(invocation, &context, stream.get(), interrupt,
                             absl::StrCat("`mimeo events ", job_id, " --follow`"), show);
}

struct LogFlags {
  std::string job;
  int rank = 0;
  int64_t generation = 0;
  int lines = 100;
  bool follow = false;
};

int Logs(const Invocation& invocation, const LogFlags& flags, Interrupt* interrupt) {
  const absl::StatusOr<std::string> job_id = FindJob(invocation, flags.job);
  if (!job_id.ok()) return Ended(job_id.status());
  grpc::ClientContext context;
  SetDeadline(&context, flags.follow ? kFollow : kOnce);
  const auto stub = Coordinator::NewStub(OpenChannel(invocation.channels, invocation.server));
  LogsRequest request;
  request.set_job_id(*job_id);
  request.set_rank(flags.rank);
  request.set_generation(flags.generation);
  request.set_lines(flags.lines);
  request.set_follow(flags.follow);
  const auto stream = stub->Logs(&context, request);
  bool first = true;
  const auto show = [&](const LogsReply& reply) {
    if (invocation.json()) {
      const auto json = JsonLine(reply);
      if (json.ok()) Print(stdout, *json + "\n");
      return json.status();
    }
    if (first) {
      Print(stderr,
            absl::StrCat(*job_id, " rank ", flags.rank, " of generation ", reply.generation(), ", on ",
                         ToText(reply.worker_id(), limits::kShortReasonBytes), ":", reply.cut() ? " its end" : "",
                         reply.text().empty() ? " it has printed nothing" : "", "\n"));
    }
    first = false;
    Print(stdout, reply.text());
    return absl::OkStatus();
  };
  // Words of the coordinator that name the worker, and nothing about the coordinator's address.
  return Follow<LogsReply>(invocation, &context, stream.get(), interrupt,
                           absl::StrCat("`mimeo logs ", *job_id, " --rank ", flags.rank, " --follow`"), show);
}

void AddLogs(CLI::App* app, Invocation* invocation) {
  CLI::App* logs =
      AddVerb(app, "logs", "What a rank of a job has printed, from its worker", "mimeo logs j1 --lines 50 --follow");
  auto flags = std::make_shared<LogFlags>();
  AddText(logs, "JOB", &flags->job, "the job's id, or its name")->required();
  logs->add_option("--rank", flags->rank, "which rank (default: 0)")->check(CLI::Range(0, limits::kRanksPerJob - 1));
  logs->add_option("--generation", flags->generation, "which generation (default: the newest)")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 40));
  logs->add_option("--lines", flags->lines,
                   "how many lines of its end (default: 100); 0: as many as fit into 64 KiB, which is the most")
      ->check(CLI::Range(0, kLinesMost));
  logs->add_flag("--follow", flags->follow, "go on with what it prints, until its generation has ended");
  logs->callback([=] {
    invocation->run = [=] {
      std::unique_ptr<Interrupt> interrupt = flags->follow ? std::make_unique<Interrupt>() : nullptr;
      return Logs(*invocation, *flags, interrupt.get());
    };
  });
}

}  // namespace

void AddHistoryVerbs(CLI::App* app, Invocation* invocation) {
  CLI::App* events =
      AddVerb(app, "events", "What happened to a job, why, and what was done about it", "mimeo events j1 --follow");
  auto jobs = std::make_shared<std::vector<std::string>>();
  auto follow = std::make_shared<bool>(false);
  AddTexts(events, "JOB", jobs.get(), "the jobs' ids, or their names")->required();
  events->add_flag("--follow", *follow, "go on until the job ends");
  events->callback([=] {
    invocation->run = [=] {
      std::unique_ptr<Interrupt> interrupt = *follow ? std::make_unique<Interrupt>() : nullptr;
      return ForEachJob(*invocation, *jobs, [&](const std::string& job) {
        return Events(*invocation, job, jobs->size() > 1, interrupt.get());
      });
    };
  });
  AddLogs(app, invocation);
}

}  // namespace mimeo
