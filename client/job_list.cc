#include "client/job_list.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/columns.h"
#include "base/print.h"
#include "base/text.h"
#include "base/timestamp.h"
#include "client/job_text.h"
#include "client/number_text.h"
#include "job/job_state.h"

namespace mimeo {
namespace {

// Together with the other columns, whose texts are bounded by what they are, they make kListColumns.
constexpr size_t kJobNameColumns = 13, kStepColumns = 13, kOwnerColumns = 8;
constexpr size_t kWideReason = 400;
constexpr absl::string_view kIndent = "    ";

// "123456/1250000", or in thousands where that is too long.
std::string ShortSteps(const Job& job) {
  const std::string steps = StepsText(job);
  if (steps.size() <= kStepColumns) return steps;
  return Shortened(absl::StrFormat("%dk/%dk", job.step() / 1000, job.total_steps() / 1000), kStepColumns);
}

std::string AgeText(const Job& job, absl::Time now) {
  return job.has_submitted() ? ShortDurationText(absl::ToDoubleSeconds(now - TimeOf(job.submitted()))) : "-";
}

std::string EtaText(const Job& job) {
  return job.has_remaining() ? ShortDurationText(static_cast<double>(job.remaining().seconds())) : "-";
}

std::string RateText(const Job& job) {
  const double rate = job.images_per_second();
  if (!(rate > 0)) return "-";
  if (rate >= 1e6) return CountText(rate);
  return rate < 100 ? absl::StrFormat("%.1f", rate) : absl::StrFormat("%.0f", rate);
}

std::string TimeText(bool is_set, const google::protobuf::Timestamp& time) {
  return is_set ? absl::FormatTime("%Y-%m-%d %H:%M", TimeOf(time), absl::LocalTimeZone()) : "-";
}

}  // namespace

std::string Shortened(const std::string& text, size_t columns) {
  const std::string clean = ToText(text);
  if (ColumnsOf(clean) <= columns) return clean;
  return absl::StrCat(FirstColumns(clean, columns - 1), "…");
}

std::string NameOf(const Job& job) { return job.name().empty() ? job.spec().name() : job.name(); }

std::string WhyText(const Job& job) { return job.why().empty() ? job.reason() : job.why(); }

std::vector<std::string> JobListHeader() { return {"JOB", "NAME", "STATE", "STEP", "AGE", "ETA", "IMAGES/S", "OWNER"}; }

std::vector<std::string> JobListRow(const Job& job, absl::Time now) {
  return {job.id(),
          Shortened(NameOf(job), kJobNameColumns),
          StateName(job.state()),
          ShortSteps(job),
          AgeText(job, now),
          EtaText(job),
          RateText(job),
          Shortened(job.owner().empty() ? "-" : job.owner(), kOwnerColumns)};
}

std::string JobListNote(const Job& job) {
  std::string note;
  if (job.state() == JOB_STATE_RUNNING) {
    note = job.silence();
  } else if (job.state() != JOB_STATE_SUCCEEDED && job.state() != JOB_STATE_CANCELLED) {
    note = WhyText(job);
  }
  if (note.empty()) return "";
  return absl::StrCat(kIndent, Shortened(OneLine(note, kListColumns), kListColumns - kIndent.size()));
}

std::vector<std::string> WideJobListHeader() {
  return {"JOB", "NAME",     "STATE", "STEP",      "CHECKPOINT", "GENERATION", "RANKS", "WORKERS",
          "ETA", "IMAGES/S", "OWNER", "SUBMITTED", "STARTED",    "FINISHED",   "REASON"};
}

std::vector<std::string> WideJobListRow(const Job& job) {
  std::vector<std::string> workers(job.worker_ids().begin(), job.worker_ids().end());
  std::sort(workers.begin(), workers.end());
  workers.erase(std::unique(workers.begin(), workers.end()), workers.end());
  return {job.id(),
          NameOf(job),
          StateName(job.state()),
          StepsText(job),
          absl::StrCat(job.checkpoint_step()),
          absl::StrCat(job.generation()),
          absl::StrCat(job.num_ranks()),
          workers.empty() ? "-" : absl::StrJoin(workers, ","),
          EtaText(job),
          RateText(job),
          job.owner().empty() ? "-" : job.owner(),
          TimeText(job.has_submitted(), job.submitted()),
          TimeText(job.has_started(), job.started()),
          TimeText(job.has_finished(), job.finished()),
          OneLine(job.silence().empty() ? WhyText(job) : absl::StrCat(WhyText(job), "; ", job.silence()), kWideReason)};
}

}  // namespace mimeo
