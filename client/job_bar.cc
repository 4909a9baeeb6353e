#include "client/job_bar.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace mimeo {
namespace {

constexpr int kBarWidth = 24;
constexpr absl::Duration kLineEvery = absl::Seconds(5);
constexpr absl::Duration kWaitMatters = absl::Seconds(2);  // shorter ones come and go with each step

std::string Clocked(absl::Duration left) {
  const int64_t seconds = absl::ToInt64Seconds(left);
  if (seconds >= 3600) return absl::StrFormat("%d:%02d:%02d", seconds / 3600, seconds / 60 % 60, seconds % 60);
  return absl::StrFormat("%d:%02d", seconds / 60, seconds % 60);
}

std::string StateText(const Job& job) {
  switch (job.state()) {
    case JOB_STATE_RUNNING:
      return "starts";
    case JOB_STATE_PAUSED:
      return job.status_code() == 0 ? "paused" : absl::StrCat("is paused: ", job.reason());
    case JOB_STATE_SUCCEEDED:
      return "done";
    case JOB_STATE_FAILED:
      return "failed";
    case JOB_STATE_CANCELLED:
      return "cancelled";
    default:
      return "";
  }
}

std::string WithoutDigits(std::string text) {
  text.erase(std::remove_if(text.begin(), text.end(),
                            [](char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); }),
             text.end());
  return text;
}

}  // namespace

std::string WaitText(const Job& job) {
  if (job.state() == JOB_STATE_PENDING) return absl::StrCat("waits: ", job.why().empty() ? job.reason() : job.why());
  if (job.state() != JOB_STATE_RUNNING) return "";
  if (!job.silence().empty()) return job.silence();
  for (const RankStatus& rank : job.ranks()) {
    if (!rank.waiting_for().empty()) return absl::StrCat("waits for ", rank.waiting_for());
  }
  for (const RankStatus& rank : job.ranks()) {
    const bool trains = rank.phase() != RANK_PHASE_STARTING && rank.phase() != RANK_PHASE_JOINING && rank.step() > 0;
    if (!trains && !rank.doing().empty()) return rank.doing();
  }
  return "";
}

std::string BarText(const Job& job, const StepMetrics* newest, absl::Duration left, int width, absl::Time now,
                    absl::TimeZone zone) {
  if (job.total_steps() <= 0 || (job.step() == 0 && newest == nullptr)) {
    const std::string state = StateText(job), wait = WaitText(job);
    return absl::StrCat(job.id(), " ", state, state.empty() || wait.empty() ? "" : ": ", wait);
  }
  const int64_t step = std::max(job.step(), newest == nullptr ? 0 : newest->step());
  const double share = static_cast<double>(step) / static_cast<double>(job.total_steps());
  const int filled = static_cast<int>(width * std::clamp(share, 0.0, 1.0));
  std::string text =
      absl::StrCat("[", std::string(static_cast<size_t>(filled), '#'),
                   std::string(static_cast<size_t>(width - filled), '-'), "] ", step, "/", job.total_steps());
  if (newest != nullptr) {
    absl::StrAppendFormat(&text, "  loss %.4f  %.0f images/s", newest->loss(), newest->images_per_second());
  }
  if (job.state() == JOB_STATE_RUNNING && left < absl::InfiniteDuration() && step < job.total_steps()) {
    const bool today = left < absl::Hours(20);
    absl::StrAppend(&text, "  ", Clocked(left), " left, ends ",
                    absl::FormatTime(today ? "%H:%M" : "%a %d %b %H:%M", now + left, zone));
  }
  const std::string wait =
      job.state() == JOB_STATE_RUNNING || job.state() == JOB_STATE_PENDING ? WaitText(job) : StateText(job);
  return wait.empty() || job.state() == JOB_STATE_SUCCEEDED ? text : absl::StrCat(text, "  ", wait);
}

absl::Duration JobBar::Left(const Job& job) {
  const absl::Time now = clock_->Now();
  if (job.generation() != generation_ || job.step() < first_step_) {
    generation_ = job.generation();
    first_step_ = job.step();
    first_seen_ = absl::InfiniteFuture();
  } else if (first_seen_ == absl::InfiniteFuture() && job.step() > first_step_) {
    first_step_ = job.step();
    first_seen_ = now;
  }
  // Until a pace is seen here, what the coordinator computes from the ranks' rate.
  const absl::Duration said = job.has_remaining() ? absl::Seconds(job.remaining().seconds()) : absl::InfiniteDuration();
  if (first_seen_ == absl::InfiniteFuture()) return said;
  // As doubles: whatever numbers a coordinator says, their differences do not overflow.
  const auto step = static_cast<double>(job.step()), total = static_cast<double>(job.total_steps());
  const double done = step - static_cast<double>(first_step_);
  if (done <= 0) return said;
  return (now - first_seen_) / done * std::max(0.0, total - step);
}

void JobBar::ShowAway(absl::Duration away, absl::Duration patience) {
  const std::string text = absl::StrCat("the coordinator has not answered for ", absl::ToInt64Seconds(away),
                                        " s; given up at ", absl::ToInt64Seconds(patience), " s");
  if (line_.terminal()) return line_.Show(text);
  if (told_away_ || away < kWaitMatters) return;
  told_away_ = true;
  line_.Show(text);
}

// The state is another one, or it waits for something else, and has for long enough to be told.
bool JobBar::IsNews(const Job& job) {
  const absl::Time now = clock_->Now();
  std::string wait = WithoutDigits(WaitText(job));
  if (wait != wait_) {
    wait_ = std::move(wait);
    wait_since_ = now;
  }
  return job.state() != last_state_ || (!wait_.empty() && wait_ != told_wait_ && now - wait_since_ >= kWaitMatters);
}

void JobBar::Show(const Job& job, const StepMetrics* newest) {
  const std::string text = BarText(job, newest, Left(job), kBarWidth, clock_->Wall(), zone_);
  told_away_ = false;
  if (line_.terminal()) return line_.Show(text);
  const absl::Time now = clock_->Now();
  const bool news = IsNews(job);
  if (text == last_text_ || (!news && (job.step() == last_step_ || now - last_line_ < kLineEvery))) return;
  last_text_ = text;
  last_state_ = job.state();
  last_line_ = now;
  last_step_ = job.step();
  told_wait_ = wait_;
  line_.Show(text);
}

}  // namespace mimeo
