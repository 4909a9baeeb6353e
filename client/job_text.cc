#include "client/job_text.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "base/limits.h"
#include "base/print.h"
#include "base/text.h"
#include "client/table.h"
#include "client/utilization_text.h"
#include "job/data_text.h"
#include "job/job_spec.h"
#include "job/job_state.h"

namespace mimeo {
namespace {

using google::protobuf::util::TimeUtil;

constexpr size_t kQuietRanks = 16;
constexpr int64_t kQuietSeconds = 10;

std::string Short(const std::string& bytes) { return ToText(bytes, limits::kShortReasonBytes); }

// As in proto names: JOB_STATE_RUNNING is "running". A value that only a later version knows is its number.
std::string Word(const std::string& value, absl::string_view prefix, int number) {
  return value.empty() ? absl::StrCat("unknown (", number, ")")
                       : absl::AsciiStrToLower(absl::StripPrefix(value, prefix));
}

std::string ContractText(const TeacherContract& contract) {
  return absl::StrCat("teacher ", Short(contract.name()),
                      contract.family().empty() ? "" : ", " + Short(contract.family()), ", weights ",
                      Short(contract.weights_digest().substr(0, 12)));
}

}  // namespace

std::string StepsText(const Job& job) {
  return job.total_steps() == 0 ? absl::StrCat(job.step()) : absl::StrCat(job.step(), "/", job.total_steps());
}

std::string RankText(const RankStatus& rank) {
  std::string text =
      absl::StrCat("rank ", rank.rank(), ": ", Word(RankPhase_Name(rank.phase()), "RANK_PHASE_", rank.phase()), " pid ",
                   rank.pid(), " step ", rank.step());
  if (!rank.waiting_for().empty()) absl::StrAppend(&text, ", waits for ", Short(rank.waiting_for()));
  if (!rank.doing().empty()) absl::StrAppend(&text, ", ", Short(rank.doing()));
  const int64_t quiet = TimeUtil::DurationToSeconds(rank.quiet()),
                patience = TimeUtil::DurationToSeconds(rank.patience());
  if (quiet > 0) absl::StrAppend(&text, ", quiet ", quiet, "s");
  if (quiet > 0 && patience > 0) absl::StrAppend(&text, " of ", patience, "s");
  if (rank.bad_samples() > 0) absl::StrAppend(&text, ", ", Counted(rank.bad_samples(), "bad sample"));
  for (const TeacherContract& teacher : rank.teachers()) absl::StrAppend(&text, ", ", ContractText(teacher));
  if (!rank.message().empty()) absl::StrAppend(&text, ": ", Short(rank.message()));
  return text;
}

std::string JobText(const Job& job) {
  std::string text =
      TableText({{"job", job.id()},
                 {"state", StateName(job.state())},
                 {"reason", absl::StrReplaceAll(job.reason(), {{"\n", "; "}})},
                 {"step", StepsText(job)},
                 {"checkpoint", job.checkpoint_step() == 0 ? "none yet" : absl::StrCat("step ", job.checkpoint_step())},
                 {"generation", absl::StrCat(job.generation())},
                 {"workers", absl::StrJoin(job.worker_ids(), ", ")}});
  for (const RankStatus& rank : job.ranks()) {
    absl::StrAppend(&text, RankText(rank), "\n");
    if (rank.has_utilization()) absl::StrAppend(&text, "  ", UtilizationText(rank.utilization()), "\n");
  }
  for (const TeacherContract& teacher : job.teachers()) absl::StrAppend(&text, "pinned: ", ContractText(teacher), "\n");
  for (const DataContents& data : job.data()) {
    for (const std::string& line : DataLines(data)) absl::StrAppend(&text, line, "\n");
  }
  return absl::StrCat(text, "\n", JobSpecText(job.spec()));
}

std::string QuietRanksText(const Job& job) {
  std::vector<const RankStatus*> quiet;
  for (const RankStatus& rank : job.ranks()) {
    const bool begins = rank.phase() == RANK_PHASE_STARTING || rank.phase() == RANK_PHASE_JOINING;
    const bool stands = begins || TimeUtil::DurationToSeconds(rank.quiet()) >= kQuietSeconds;
    if (stands && rank.waiting_for().empty() && !rank.doing().empty()) quiet.push_back(&rank);
  }
  std::stable_sort(quiet.begin(), quiet.end(), [](const RankStatus* a, const RankStatus* b) {
    return TimeUtil::DurationToSeconds(a->quiet()) > TimeUtil::DurationToSeconds(b->quiet());
  });
  std::string text;
  for (size_t i = 0; i < quiet.size() && i < kQuietRanks; ++i) absl::StrAppend(&text, RankText(*quiet[i]), "\n");
  if (quiet.size() > kQuietRanks) {
    absl::StrAppend(&text, "and ", Counted(static_cast<int64_t>(quiet.size() - kQuietRanks), "rank"), " more\n");
  }
  return text;
}

std::string EndText(const Job& job) {
  const std::string id = Short(job.id()), reason = ToLines(job.reason());
  if (job.state() == JOB_STATE_CANCELLED) return absl::StrCat(id, " was cancelled: ", reason);
  const std::string what = absl::StrCat(id, job.state() == JOB_STATE_PAUSED ? " is paused: " : " has failed: ", reason);
  if (job.checkpoint_step() > 0) {
    return absl::StrCat(what, "\nonce that is mended, `mimeo resume ", id, "` goes on from step ",
                        job.checkpoint_step());
  }
  return absl::StrCat(what, "\nonce that is mended, `mimeo resume ", id, "` begins it again");
}

}  // namespace mimeo
