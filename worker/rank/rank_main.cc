#include "worker/rank/rank_main.h"

#include <google/protobuf/text_format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/address.h"
#include "base/command_line.h"
#include "base/file.h"
#include "base/process.h"
#include "base/progress.h"
#include "base/status_macros.h"
#include "worker/rank/rank_link.h"
#include "worker/rank/rank_run.h"

namespace mimeo {
namespace {

absl::StatusOr<GangAssignment> ReadAssignment(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  GangAssignment assignment;
  if (!google::protobuf::TextFormat::ParseFromString(text, &assignment)) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is not a text proto of a GangAssignment"));
  }
  return assignment;
}

absl::Status CheckAddresses(const std::string& agent, const std::string& coordinator) {
  RETURN_IF_ERROR(ParseAddress("--agent", agent, AddressUse::kCallOrSocket).status());
  return ParseAddress("--coordinator", coordinator, AddressUse::kCall).status();
}

// Ends the process at once: a collective in flight cannot be aborted, and its threads would be waited for.
[[noreturn]] void EndProcess(int code) {
  spdlog::shutdown();
  std::fflush(nullptr);
  _exit(code);
}

}  // namespace

int RunRank(int argc, char** argv) {
  CLI::App app{"One rank of one job's gang; the agent starts it."};
  std::string assignment_path, agent_address;
  RankOptions options;
  app.add_option("--assignment", assignment_path, "text proto of the GangAssignment")->required();
  app.add_option("--agent", agent_address, "unix:PATH of the agent's socket")->required();
  app.add_option("--coordinator", options.coordinator_address, "host:port")->required();
  app.add_option("--host", options.host, "the interface that other ranks reach");
  if (const auto code = ParseCommandLine(&app, argc, argv); code.has_value()) return *code;
  BlockStopSignals();  // the run looks for them
  const auto assignment = ReadAssignment(assignment_path);
  const absl::Status addresses = CheckAddresses(agent_address, options.coordinator_address);
  if (!assignment.ok() || !addresses.ok()) {
    std::fprintf(stderr, "worker rank: %s\n", (addresses.ok() ? assignment.status() : addresses).ToString().c_str());
    return 2;
  }
  StartLogging(absl::StrCat("rank", assignment->rank()));
  // Never destroyed, as the run is not.
  Progress* const progress = new Progress;
  progress->Do("starts");
  auto agent = RankLink::Connect(options.channels, agent_address, *assignment, progress);
  if (!agent.ok()) {
    spdlog::error("no agent at {}: {}", agent_address, agent.status().ToString());
    return 1;
  }
  const absl::StatusOr<TrainEnd> end = RunAssignedRank(*assignment, options, agent->get(), progress);
  if (!end.ok()) {
    spdlog::error("rank ends status={}", end.status().ToString());
    (*agent)->Finish(RANK_PHASE_FAILED, end.status());
    EndProcess(1);
  }
  const bool completed = *end == TrainEnd::kCompleted;
  spdlog::info("rank ends {}", completed ? "completed" : "stopped as told");
  (*agent)->Finish(completed ? RANK_PHASE_COMPLETED : RANK_PHASE_STOPPED, absl::OkStatus());
  EndProcess(0);
}

}  // namespace mimeo
