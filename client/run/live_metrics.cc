#include "client/run/live_metrics.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/errno_status.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "client/metrics_json.h"

namespace mimeo {

void LiveMetrics::Add(const std::vector<StepMetrics>& steps, const std::vector<EvaluationResult>& evaluations) {
  std::vector<std::string> step_lines, evaluation_lines;
  for (const StepMetrics& step : steps) step_lines.push_back(StepJson(step) + "\n");
  for (const EvaluationResult& evaluation : evaluations) evaluation_lines.push_back(EvaluationJson(evaluation) + "\n");
  SayOnce(Append("metrics.jsonl", step_lines, &steps_begun_));
  SayOnce(Append("evaluations.jsonl", evaluation_lines, &evaluations_begun_));
  if (!tensorboard_.empty()) SayOnce(AddEvents(steps, evaluations));
}

absl::Status LiveMetrics::Append(const std::string& name, const std::vector<std::string>& lines, bool* begun) {
  if (lines.empty() || out_.empty()) return absl::OkStatus();
  const std::string path = JoinPath(out_, name);
  if (!std::exchange(*begun, true)) return WriteFileAtomic(path, absl::StrJoin(lines, ""));
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd < 0) return ErrnoStatus(errno, absl::StrCat("opening ", path));
  const auto closer = absl::MakeCleanup([fd] { close(fd); });
  // One call for each line: the kernel does not mix it with a reader's.
  for (const std::string& line : lines) {
    const ssize_t written = write(fd, line.data(), line.size());
    if (written != static_cast<ssize_t>(line.size())) {
      return ErrnoStatus(written < 0 ? errno : ENOSPC, absl::StrCat("writing ", path));
    }
  }
  return absl::OkStatus();
}

absl::Status LiveMetrics::AddEvents(const std::vector<StepMetrics>& steps,
                                    const std::vector<EvaluationResult>& evaluations) {
  if (events_ == nullptr) {
    ASSIGN_OR_RETURN(events_, EventFile::Create(tensorboard_));
  }
  std::vector<MetricRow> rows;
  rows.reserve(steps.size() + evaluations.size());
  for (const StepMetrics& step : steps) rows.push_back(RowOf(step));
  for (const EvaluationResult& evaluation : evaluations) rows.push_back(RowOf(evaluation));
  return events_->Add(rows);
}

void LiveMetrics::SayOnce(const absl::Status& status) {
  if (status.ok() || std::exchange(said_, true)) return;
  say_(absl::StrCat("numbers are not written while it runs: ", status.message()));
}

}  // namespace mimeo
