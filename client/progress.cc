#include "client/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/table.h"

namespace mimeo {
namespace {

constexpr int kBarWidth = 24;
constexpr absl::Duration kLineEvery = absl::Seconds(5);
constexpr size_t kPlainWidth = 400;

// Of the terminal behind `out`, as it is now: a bar that wraps cannot be redrawn in place.
size_t Columns(std::FILE* out) {
  winsize size{};
  return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - size_t{1} : 79;
}

std::string Clocked(absl::Duration left) {
  const int64_t seconds = absl::ToInt64Seconds(left);
  if (seconds >= 3600) return absl::StrFormat("%d:%02d:%02d", seconds / 3600, seconds / 60 % 60, seconds % 60);
  return absl::StrFormat("%d:%02d", seconds / 60, seconds % 60);
}

std::string StateText(const Job& job) {
  switch (job.state()) {
    case JOB_STATE_PENDING: return absl::StrCat("waits: ", job.reason());
    case JOB_STATE_RUNNING: return "starts";
    case JOB_STATE_PAUSED: return "paused";
    case JOB_STATE_SUCCEEDED: return "done";
    case JOB_STATE_FAILED: return "failed";
    case JOB_STATE_CANCELLED: return "cancelled";
    default: return "";
  }
}

std::string WaitText(const Job& job) {
  for (const RankStatus& rank : job.ranks()) {
    if (!rank.waiting_for().empty()) return absl::StrCat("  waits for ", rank.waiting_for());
  }
  return "";
}

}  // namespace

std::string BarText(const Job& job, const StepMetrics* newest, absl::Duration left, int width) {
  if (job.total_steps() == 0 || (job.step() == 0 && newest == nullptr)) {
    return absl::StrCat(job.id(), " ", StateText(job), WaitText(job));
  }
  const int64_t step = std::max(job.step(), newest == nullptr ? 0 : newest->step());
  const int filled = static_cast<int>(std::min<int64_t>(width, width * step / job.total_steps()));
  std::string text = absl::StrCat("[", std::string(static_cast<size_t>(filled), '#'),
                                  std::string(static_cast<size_t>(width - filled), '-'), "] ", step, "/", job.total_steps());
  if (newest != nullptr) {
    absl::StrAppendFormat(&text, "  loss %.4f  %.0f images/s", newest->loss(), newest->images_per_second());
  }
  if (left < absl::InfiniteDuration() && step < job.total_steps()) absl::StrAppend(&text, "  ", Clocked(left), " left");
  return absl::StrCat(text, WaitText(job));
}

Progress::Progress(std::FILE* out, Clock* clock) : out_(out), clock_(clock), terminal_(isatty(fileno(out)) == 1) {}

absl::Duration Progress::Left(const Job& job) {
  const absl::Time now = clock_->Now();
  if (job.generation() != generation_ || job.step() < first_step_) {
    generation_ = job.generation();
    first_step_ = job.step();
    first_seen_ = absl::InfiniteFuture();
  } else if (first_seen_ == absl::InfiniteFuture() && job.step() > first_step_) {
    first_step_ = job.step();
    first_seen_ = now;
  }
  if (first_seen_ == absl::InfiniteFuture()) return absl::InfiniteDuration();
  const int64_t done = job.step() - first_step_;
  if (done <= 0) return absl::InfiniteDuration();
  return (now - first_seen_) / done * std::max<int64_t>(0, job.total_steps() - job.step());
}

void Progress::Show(const Job& job, const StepMetrics* newest) {
  const std::string text = OneLine(BarText(job, newest, Left(job), kBarWidth), terminal_ ? Columns(out_) : kPlainWidth);
  if (terminal_) {
    std::fprintf(out_, "\r\033[K%s", text.c_str());
    std::fflush(out_);
    bar_shown_ = true;
    return;
  }
  const absl::Time now = clock_->Now();
  const bool news = job.state() != last_state_;
  if (text == last_text_ || (!news && (job.step() == last_step_ || now - last_line_ < kLineEvery))) return;
  last_text_ = text;
  last_state_ = job.state();
  last_line_ = now;
  last_step_ = job.step();
  std::fprintf(out_, "%s\n", text.c_str());
  std::fflush(out_);
}

void Progress::Say(absl::string_view line) {
  if (bar_shown_) std::fputs("\r\033[K", out_);
  std::fprintf(out_, "%s\n", std::string(line).c_str());
  std::fflush(out_);
}

void Progress::Done() {
  if (bar_shown_) std::fputs("\n", out_);
  bar_shown_ = false;
  std::fflush(out_);
}

}  // namespace mimeo
