#include "client/worker_verbs/worker_json.h"

#include <signal.h>

#include <fstream>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/find_binary.h"
#include "base/process.h"
#include "base/status_macros.h"
#include "base/subprocess.h"
#include "base/text.h"

namespace mimeo {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(100);   // between two looks whether somebody wants a stop
constexpr absl::Duration kStopPatience = absl::Seconds(5);  // with a child that was told to stop
constexpr int64_t kErrorBytes = 4096;                       // of what a child said, as much as a message holds

absl::StatusOr<ExitStatus> WaitOrStop(Subprocess* child, StopSignals signals) {
  while (true) {
    const auto ended = child->Wait(Clock::Real()->Now() + kLook);
    if (!absl::IsDeadlineExceeded(ended.status())) return ended;
    if (signals == StopSignals::kLeaveToOthers || !WaitForStopUntil(Clock::Real()->Now())) continue;
    child->Signal(SIGTERM);
    child->Wait(Clock::Real()->Now() + kStopPatience).IgnoreError();
    return absl::CancelledError("stopped before the training; the same command begins again");
  }
}

}  // namespace

absl::StatusOr<nlohmann::json> WorkerJson(const std::vector<std::string>& args, const std::string& log,
                                          StopSignals signals) {
  Subprocess::Options options;
  ASSIGN_OR_RETURN(const std::string worker, FindBinary("worker"));
  options.argv = {worker};
  options.argv.insert(options.argv.end(), args.begin(), args.end());
  std::string out, errors;
  options.on_stdout = [&](absl::string_view piece) { absl::StrAppend(&out, piece); };
  std::ofstream log_file;
  if (!log.empty()) log_file.open(log, std::ios::app);
  options.on_stderr = [&](absl::string_view piece) {
    absl::StrAppend(&errors, piece);
    if (static_cast<int64_t>(errors.size()) > kErrorBytes) errors.erase(0, errors.size() - kErrorBytes);
    if (log_file.is_open()) log_file << piece;
  };
  const std::string name = absl::StrCat("worker ", args[0]);
  ASSIGN_OR_RETURN(const auto child, Subprocess::Start(options));
  ASSIGN_OR_RETURN(const ExitStatus ended, WaitOrStop(child.get(), signals));
  // Its own name stands before what it says.
  const std::string said = ToText(absl::StripPrefix(absl::StripAsciiWhitespace(errors), absl::StrCat(args[0], ": ")));
  if (ended.signal == 0 && ended.code == 2) return absl::InvalidArgumentError(said);
  if (!ended.ok()) return absl::InternalError(absl::StrCat(name, " ", ended.ToString(), ": ", said));
  nlohmann::json json = nlohmann::json::parse(out, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return absl::InternalError(absl::StrCat(name, " wrote no JSON object: ", ToText(out.substr(0, 200))));
  }
  return json;
}

}  // namespace mimeo
