#include "base/process.h"

#include <pthread.h>
#include <signal.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/wait.h"

namespace mimeo {
namespace {

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

absl::StatusOr<std::map<std::string, std::string>> ParseAnnouncement(const std::string& path, const std::string& text) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return absl::DataLossError(absl::StrCat(path, ": not a JSON object"));
  std::map<std::string, std::string> values;
  for (const auto& [key, value] : json.items()) {
    if (!value.is_string()) {
      return absl::DataLossError(absl::StrCat(path, ": the value of '", ToText(key), "' is no string"));
    }
    values[key] = value.get<std::string>();
  }
  return values;
}

// Makes text of what is logged: names of files and words of peers are in it. Lines after an event's first are indented,
// so that nothing that is logged can look like an event.
class TextFormatter : public spdlog::formatter {
 public:
  explicit TextFormatter(const std::string& pattern)
      : text_(pattern), pattern_(pattern, spdlog::pattern_time_type::utc) {}
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const std::string text = absl::StrReplaceAll(
        ToLines(absl::string_view(message.payload.data(), message.payload.size()), limits::kLogEventBytes),
        {{"\n", "\n    "}});
    spdlog::details::log_msg made = message;
    made.payload = text;
    pattern_.format(made, out);
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<TextFormatter>(text_); }

 private:
  const std::string text_;
  spdlog::pattern_formatter pattern_;
};

void LogByPattern(const std::string& name, const std::string& pattern) {
  auto logger = std::make_shared<spdlog::logger>(name, std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_formatter(std::make_unique<TextFormatter>(pattern));
  const char* const level = std::getenv("MIMEO_LOG");
  logger->set_level(level == nullptr ? spdlog::level::info : spdlog::level::from_str(level));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace

void StartLogging(const std::string& process_name) { LogByPattern(process_name, "%Y-%m-%dT%H:%M:%S.%eZ %l %n: %v"); }

void StartPlainLogging(const std::string& tool_name) { LogByPattern(tool_name, "%n: %v"); }

void BlockStopSignals() {
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

void WaitForStop() { WaitForStopUntil(absl::InfiniteFuture()); }

bool WaitForStopUntil(absl::Time deadline) {
  const sigset_t signals = StopSignals();
  while (true) {
    // In slices: the deadline may be infinite, and a clock that was set back must not make the wait longer.
    const absl::Duration left = std::min(deadline - Clock::Real()->Now(), absl::Minutes(1));
    const timespec slice = absl::ToTimespec(std::max(left, absl::ZeroDuration()));
    if (sigtimedwait(&signals, nullptr, &slice) > 0) return true;
    if (errno == EAGAIN && left <= absl::ZeroDuration()) return false;
  }
}

absl::Status Announce(const std::string& path, const std::map<std::string, std::string>& values) {
  for (const auto& [key, value] : values) {
    if (IsUtf8(key) && IsUtf8(value)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("the announcement ", ToText(path), ": ", ToText(key), "=", ToText(value), " is not UTF-8"));
  }
  return WriteFileAtomic(path, nlohmann::json(values).dump() + "\n");
}

absl::StatusOr<std::map<std::string, std::string>> ReadAnnouncement(const std::string& path, absl::Duration patience) {
  const absl::Time deadline = Clock::Real()->Now() + patience;
  while (true) {
    const absl::StatusOr<std::string> text = ReadFile(path, limits::kAnnouncementBytes);
    if (text.ok()) return ParseAnnouncement(path, *text);
    if (!absl::IsNotFound(text.status())) return text.status();
    const absl::Time now = Clock::Real()->Now();
    if (now >= deadline) {
      return absl::DeadlineExceededError(
          absl::StrCat("the announcement ", path, " was not written within ", absl::FormatDuration(patience)));
    }
    WaitUntil(std::min(deadline, now + absl::Milliseconds(10)));
  }
}

}  // namespace mimeo
