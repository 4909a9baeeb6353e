#include "worker/agent/rank_launch.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "google/protobuf/text_format.h"
#include "spdlog/spdlog.h"
#include "worker/agent/rank_environment.h"

namespace mimeo {
namespace {

constexpr int64_t kTailBytes = 600;

std::string RanksDir(const std::string& dir) { return JoinPath(dir, "ranks"); }

std::string StartFilePath(const std::string& dir, const RankKey& key) {
  return JoinPath(RanksDir(dir), ToString(key) + ".textproto");
}

// libtorch adds the rank's number.
std::string FlightRecordPath(const std::string& log_path, absl::string_view rank) {
  return absl::StrCat(log_path, ".nccl.", rank);
}

// Up to `bytes` from the end of a file; empty when it cannot be read.
std::string EndOf(const std::string& path, int64_t bytes) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) return "";
  const int64_t size = in.tellg();
  const int64_t take = std::min(size, bytes);
  std::string text(static_cast<size_t>(take), '\0');
  in.seekg(size - take);
  in.read(&text[0], take);
  text.resize(static_cast<size_t>(in.gcount()));
  return text;
}

struct LogFile {
  std::string path;
  int64_t modified_ns;
};

std::vector<LogFile> ListLogs(const std::string& dir) {
  std::vector<LogFile> logs;
  DIR* const handle = opendir(dir.c_str());
  if (handle == nullptr) return logs;
  while (const dirent* entry = readdir(handle)) {
    const std::string path = JoinPath(dir, entry->d_name);
    struct stat file;
    if (!absl::EndsWith(path, ".log") || stat(path.c_str(), &file) != 0) continue;
    logs.push_back({path, file.st_mtim.tv_sec * int64_t{1000000000} + file.st_mtim.tv_nsec});
  }
  closedir(handle);
  return logs;
}

}  // namespace

std::string RankLogPath(const std::string& dir, const RankKey& key) {
  return JoinPath(RanksDir(dir), ToString(key) + ".log");
}

absl::StatusOr<std::unique_ptr<Subprocess>> LaunchRank(const RankLaunchOptions& options,
                                                       const GangAssignment& assignment, int slot) {
  const RankKey key = KeyOf(assignment);
  const std::string start_file = StartFilePath(options.dir, key);
  std::string text;
  if (!google::protobuf::TextFormat::PrintToString(assignment, &text)) {
    return absl::InternalError("the assignment cannot be printed as a text proto");
  }
  RETURN_IF_ERROR(MakeDirs(RanksDir(options.dir)));
  RETURN_IF_ERROR(WriteFileAtomic(start_file, text));
  Subprocess::Options process;
  process.argv = {options.rank_binary,
                  "rank",
                  absl::StrCat("--assignment=", start_file),
                  absl::StrCat("--agent=", options.agent_address),
                  absl::StrCat("--coordinator=", options.coordinator_address),
                  absl::StrCat("--host=", options.host)};
  process.output_path = RankLogPath(options.dir, key);
  RankEnvironmentOptions environment;
  environment.threads = std::max(1, assignment.spec().resources().threads_per_rank());
  environment.host = options.host;
  environment.flight_record_prefix = FlightRecordPath(process.output_path, "");
  environment.cuda_devices = options.cuda_devices;
  process.extra_env = RankEnvironment(environment, slot);
  return Subprocess::Start(process);
}

void BoundRankLog(const std::string& path) {
  struct stat file;
  if (stat(path.c_str(), &file) != 0 || file.st_size <= limits::kRankLogBytes) return;
  const absl::Status kept = WriteFileAtomic(path + ".old", EndOf(path, limits::kRankLogTailBytes));
  // The process appends, so it goes on at the start.
  if (truncate(path.c_str(), 0) != 0 || !kept.ok()) spdlog::warn("rank log could not be cut path={}", path);
}

std::string LogTail(const std::string& path) {
  // With the byte before the tail, which says whether the tail begins with a line.
  const std::string end = EndOf(path, kTailBytes + 1);
  absl::string_view text = absl::StripTrailingAsciiWhitespace(end);
  if (end.size() > kTailBytes) {
    const size_t line = text.find('\n');
    size_t begin = line == absl::string_view::npos ? 1 : line + 1;
    // In a line that is longer than the tail, the cut may have fallen into a character.
    while (line == absl::string_view::npos && begin < 4 && begin < text.size() && (text[begin] & 0xC0) == 0x80) ++begin;
    text.remove_prefix(std::min(begin, text.size()));
  }
  return ToLines(absl::StripAsciiWhitespace(text));
}

void CleanRankFiles(const std::string& dir, const RankKey& key, const std::vector<RankKey>& running) {
  unlink(StartFilePath(dir, key).c_str());
  std::vector<LogFile> logs = ListLogs(RanksDir(dir));
  // A rank may train for weeks and print nothing, while others come and go.
  for (const RankKey& rank : running) {
    const std::string path = RankLogPath(dir, rank);
    logs.erase(std::remove_if(logs.begin(), logs.end(), [&](const LogFile& log) { return log.path == path; }),
               logs.end());
  }
  if (logs.size() <= limits::kRankLogsKept) return;
  std::sort(logs.begin(), logs.end(), [](const LogFile& a, const LogFile& b) { return a.modified_ns > b.modified_ns; });
  for (size_t i = limits::kRankLogsKept; i < logs.size(); ++i) {
    unlink(logs[i].path.c_str());
    unlink((logs[i].path + ".old").c_str());
    const std::string name = logs[i].path.substr(0, logs[i].path.size() - strlen(".log"));
    unlink(FlightRecordPath(logs[i].path, absl::string_view(name).substr(name.rfind("-r") + 2)).c_str());
  }
}

}  // namespace mimeo
