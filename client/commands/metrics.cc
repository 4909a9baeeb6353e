#include <cstdio>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "base/output.h"
#include "base/print.h"
#include "base/rpc/rpc.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "client/commands/call.h"
#include "client/commands/job_names.h"
#include "client/exit_code.h"
#include "client/interrupt.h"
#include "client/metrics/event_file.h"
#include "client/metrics/metric_rows.h"
#include "client/metrics_json.h"

namespace mimeo {
namespace {

std::string MetricsHeader() {
  return absl::StrFormat("%8s %8s %10s %12s %10s %10s %9s %9s\n", "STEP", "EPOCH", "LOSS", "RATE", "GRADNORM",
                         "IMAGES/S", "DATAWAIT", "TEACHWAIT");
}

std::string MetricsRow(const StepMetrics& step) {
  return absl::StrFormat("%8d %8.2f %10.5f %12.4e %10.4f %10.1f %9.3f %9.3f", step.step(), step.epoch(), step.loss(),
                         step.learning_rate(), step.grad_norm(), step.images_per_second(), step.data_wait_seconds(),
                         step.teacher_wait_seconds());
}

struct MetricsFlags {
  std::string job;  // or a run's folder, or a metrics.jsonl
  bool follow = false;
  std::string to;  // "csv", "tensorboard", or nothing: to stdout
  std::string out;
};

using TakeReply = std::function<absl::Status(const MetricsReply&)>;

// Gives `take` the replies of the coordinator until the job's numbers end. Cancelled: Ctrl-C ended it; `interrupt` may
// be null.
absl::Status ReadMetrics(const Invocation& invocation, const MetricsFlags& flags, Interrupt* interrupt,
                         const TakeReply& take) {
  ASSIGN_OR_RETURN(const std::string job_id, FindJob(invocation, flags.job));
  grpc::ClientContext context;
  if (interrupt != nullptr) interrupt->OnInterrupt([&context] { context.TryCancel(); });
  const auto stop_listening = absl::MakeCleanup([interrupt] {
    if (interrupt != nullptr) interrupt->OnInterrupt(nullptr);
  });
  const auto stub = Coordinator::NewStub(OpenChannel(invocation.channels, invocation.server));
  SetDeadline(&context, flags.follow ? absl::Hours(24 * 365) : absl::Minutes(5));
  MetricsRequest request;
  request.set_job_id(job_id);
  request.set_follow(flags.follow);
  const auto stream = stub->Metrics(&context, request);
  MetricsReply reply;
  while (stream->Read(&reply)) {
    if (const absl::Status taken = take(reply); !taken.ok()) {
      context.TryCancel();
      return taken;
    }
  }
  const absl::Status ended = FromGrpc(stream->Finish());
  if (interrupt != nullptr && interrupt->wanted()) {
    return absl::CancelledError(absl::StrCat("stopped; `mimeo metrics ", job_id, " --follow` begins again"));
  }
  return Explained(ended, invocation.server);
}

std::vector<MetricRow> RowsOf(const MetricsReply& reply) {
  std::vector<MetricRow> rows;
  for (const StepMetrics& step : reply.steps()) rows.push_back(RowOf(step));
  for (const EvaluationResult& evaluation : reply.evaluations()) rows.push_back(RowOf(evaluation));
  return rows;
}

bool IsOnDisk(const MetricsFlags& flags) { return FileExists(flags.job); }

absl::StatusOr<std::vector<MetricRow>> AllRows(const Invocation& invocation, const MetricsFlags& flags) {
  if (IsOnDisk(flags)) return ReadMetricRows(flags.job);
  std::vector<MetricRow> rows;
  RETURN_IF_ERROR(ReadMetrics(invocation, flags, nullptr, [&](const MetricsReply& reply) {
    const std::vector<MetricRow> more = RowsOf(reply);
    rows.insert(rows.end(), more.begin(), more.end());
    return absl::OkStatus();
  }));
  return rows;
}

absl::Status WriteCsv(const Invocation& invocation, const MetricsFlags& flags) {
  RETURN_IF_ERROR(CheckOutputFile("--out", flags.out));
  ASSIGN_OR_RETURN(const std::vector<MetricRow> rows, AllRows(invocation, flags));
  return WriteFileAtomic(flags.out, CsvText(rows));
}

// With --follow the rows are written as they come.
absl::Status WriteEvents(const Invocation& invocation, const MetricsFlags& flags, Interrupt* interrupt) {
  RETURN_IF_ERROR(CheckOutputFolder("--out", flags.out));
  std::unique_ptr<EventFile> file;  // no file where there is no such job
  const auto add = [&](const std::vector<MetricRow>& rows) -> absl::Status {
    if (file == nullptr) {
      ASSIGN_OR_RETURN(file, EventFile::Create(flags.out));
    }
    return file->Add(rows);
  };
  if (flags.follow && !IsOnDisk(flags)) {
    return ReadMetrics(invocation, flags, interrupt, [&](const MetricsReply& reply) { return add(RowsOf(reply)); });
  }
  ASSIGN_OR_RETURN(const std::vector<MetricRow> rows, AllRows(invocation, flags));
  return add(rows);
}

absl::Status CheckFlags(const MetricsFlags& flags) {
  if (flags.to.empty() != flags.out.empty()) {
    return absl::InvalidArgumentError("--to and --out go together: the format, and where it is written");
  }
  if (flags.to.empty() && IsOnDisk(flags)) {
    return absl::InvalidArgumentError(absl::StrCat(
        ToText(flags.job),
        " is a file or a folder: --to csv or --to tensorboard, and --out, say what to make of its numbers"));
  }
  if (flags.follow && (flags.to == "csv" || IsOnDisk(flags))) {
    return absl::InvalidArgumentError(
        "--follow: a CSV file and a run's folder are read to where they end now; --to tensorboard follows a job");
  }
  return absl::OkStatus();
}

int PrintMetrics(const Invocation& invocation, const MetricsFlags& flags, Interrupt* interrupt) {
  std::string text = invocation.json() ? "" : MetricsHeader();
  return Ended(ReadMetrics(invocation, flags, interrupt, [&](const MetricsReply& reply) {
    for (const StepMetrics& step : reply.steps()) {
      absl::StrAppend(&text, invocation.json() ? StepJson(step) : MetricsRow(step), "\n");
    }
    for (const EvaluationResult& evaluation : reply.evaluations()) {
      absl::StrAppend(&text, invocation.json() ? "" : "evaluation ", EvaluationJson(evaluation), "\n");
    }
    Print(stdout, text);
    text.clear();
    return absl::OkStatus();
  }));
}

int Metrics(const Invocation& invocation, const MetricsFlags& flags) {
  absl::Status status = CheckFlags(flags);
  if (!status.ok()) return Ended(status);
  const std::unique_ptr<Interrupt> interrupt = flags.follow ? std::make_unique<Interrupt>() : nullptr;
  if (flags.to.empty()) return PrintMetrics(invocation, flags, interrupt.get());
  status = flags.to == "csv" ? WriteCsv(invocation, flags) : WriteEvents(invocation, flags, interrupt.get());
  return Ended(status);
}

}  // namespace

void AddMetrics(CLI::App* app, Invocation* invocation) {
  CLI::App* metrics = AddVerb(app, "metrics", "A job's numbers, step by step, and its evaluations",
                              "mimeo metrics j1 -o json\n  mimeo metrics out/mae --to csv --out mae.csv\n"
                              "  mimeo metrics j1 --to tensorboard --out events --follow");
  auto flags = std::make_shared<MetricsFlags>();
  AddText(metrics, "JOB", &flags->job, "the job's id or name; or, with --to, the folder of a run or its metrics.jsonl")
      ->required();
  metrics->add_flag("--follow", flags->follow, "go on until the job ends");
  metrics->add_option("--to", flags->to, "write them for another program: a table, or files that TensorBoard reads")
      ->check(CLI::IsMember({"csv", "tensorboard"}));
  metrics->add_option("--out", flags->out, "the .csv file, or the folder of TensorBoard's files");
  metrics->callback(
      [flags, invocation] { invocation->run = [flags, invocation] { return Metrics(*invocation, *flags); }; });
}

}  // namespace mimeo
