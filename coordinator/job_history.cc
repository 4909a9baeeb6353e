#include "coordinator/job_history.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/timestamp.h"

namespace mimeo {
namespace {

// Who asked, as the client said. Earlier versions said nothing.
std::string By(const std::string& user) { return user.empty() ? "a person" : user; }

std::string AskedText(const JobControlled& asked) {
  switch (asked.want()) {
    case WANT_PAUSE:
      return absl::StrCat(By(asked.user()), " paused it: after a checkpoint its slots are free");
    case WANT_CANCEL:
      return absl::StrCat(By(asked.user()), " cancelled it");
    default:
      return absl::StrCat(By(asked.user()), " resumed it");
  }
}

std::string PlacedText(const GangPlaced& placed) {
  return absl::StrCat("generation ", placed.generation(), " ", placed.reason(), "; it starts from ",
                      placed.resume_step() == 0 ? "the beginning" : absl::StrCat("step ", placed.resume_step()));
}

std::string EndedText(const GangEnded& ended, const HistoryFacts& facts) {
  const std::string generation = absl::StrCat("generation ", ended.generation());
  switch (ended.end()) {
    case GANG_END_COMPLETED:
      return absl::StrCat(generation, " is done, and so is the job: ", ended.reason());
    case GANG_END_STOPPED:
      return absl::StrCat(generation, " stopped: ", ended.reason());
    case GANG_END_REPLACED:
      return absl::StrCat(generation, " was given up: ", ended.reason());
    default:
      break;
  }
  const std::string next = ended.permanent()      ? "no other try would help"
                           : ended.needs_person() ? "a person must mend something first"
                                                  : absl::StrCat("failure ", facts.failures_in_a_row, " of ",
                                                                 facts.max_restarts + 1, " in a row");
  return absl::StrCat(generation, " failed, ", next, ": ", ended.reason());
}

// "its schedule is now 20 epochs instead of 10".
std::string ExtendedText(const JobExtended& extended, const HistoryFacts& facts) {
  const auto length = [](const ScheduleSpec& schedule) {
    return schedule.has_epochs() ? absl::StrCat(schedule.epochs(), " epochs")
                                 : absl::StrCat(schedule.steps(), " steps");
  };
  return absl::StrCat(By(extended.user()), " extended it to ", length(extended.spec().schedule()), " (",
                      extended.total_steps(), " steps), from ",
                      facts.spec == nullptr ? "fewer" : length(facts.spec->schedule()));
}

std::string FinishedText(const JobFinished& finished) {
  return absl::StrCat(finished.state() == JOB_STATE_CANCELLED ? "it has ended, cancelled: " : "it has failed: ",
                      finished.reason());
}

std::string CheckpointText(const HistoryEntry& line) {
  const std::string newest = absl::StrCat("checkpoint of step ", line.step(), " committed");
  return line.count() == 1 ? newest
                           : absl::StrCat(newest, ", ", line.count(), " since that of step ", line.first_step());
}

}  // namespace

std::optional<HistoryEntry> HistoryLine(const Event& event, const HistoryFacts& facts) {
  HistoryEntry line;
  const auto says = [&](HistoryKind kind, const std::string& text) {
    line.set_kind(kind);
    line.set_text(ToText(absl::StrReplaceAll(text, {{"\n", "; "}}), limits::kShortReasonBytes));
  };
  switch (event.kind_case()) {
    case Event::kJobSubmitted:
      says(HISTORY_KIND_SUBMITTED, absl::StrCat(By(event.job_submitted().owner()), " submitted it"));
      break;
    case Event::kJobControlled:
      says(HISTORY_KIND_ASKED, AskedText(event.job_controlled()));
      break;
    case Event::kJobExtended:
      says(HISTORY_KIND_EXTENDED, ExtendedText(event.job_extended(), facts));
      break;
    case Event::kGangPlaced:
      says(HISTORY_KIND_PLACED, PlacedText(event.gang_placed()));
      line.set_generation(event.gang_placed().generation());
      line.set_step(event.gang_placed().resume_step());
      break;
    case Event::kGangEnded: {
      const GangEnd end = event.gang_ended().end();
      const bool fails = end == GANG_END_FAILED || end == GANG_END_REPLACED;
      says(fails ? HISTORY_KIND_FAILED : HISTORY_KIND_ENDED, EndedText(event.gang_ended(), facts));
      line.set_generation(event.gang_ended().generation());
      break;
    }
    case Event::kDatasetPinned:
      says(HISTORY_KIND_DATA, absl::StrCat("its data were read: ", event.dataset_pinned().num_samples(), " images, ",
                                           event.dataset_pinned().total_steps(), " steps"));
      break;
    case Event::kTeacherPinned:
      says(HISTORY_KIND_TEACHER,
           absl::StrCat("it learns from teacher ", event.teacher_pinned().contract().name(), ", weights ",
                        event.teacher_pinned().contract().weights_digest().substr(0, 12)));
      break;
    case Event::kCheckpointCommitted:
      line.set_count(1);
      line.set_step(event.checkpoint_committed().manifest().step());
      line.set_first_step(line.step());
      line.set_generation(event.checkpoint_committed().manifest().generation());
      says(HISTORY_KIND_CHECKPOINT, CheckpointText(line));
      break;
    case Event::kJobPaused:
      says(HISTORY_KIND_PAUSED, absl::StrCat("it paused itself: ", event.job_paused().reason()));
      break;
    case Event::kJobFinished:
      says(HISTORY_KIND_FINISHED, FinishedText(event.job_finished()));
      break;
    default:
      return std::nullopt;
  }
  line.set_count(1);
  *line.mutable_first_time() = event.time();
  *line.mutable_time() = event.time();
  return line;
}

void AddHistory(HistoryEntry line, std::vector<HistoryEntry>* history) {
  line.set_number(history->empty() ? 1 : history->back().number() + 1);
  if (!history->empty() && line.kind() == HISTORY_KIND_CHECKPOINT && history->back().kind() == line.kind()) {
    HistoryEntry& before = history->back();
    before.set_number(line.number());
    before.set_count(before.count() + 1);
    before.set_step(line.step());
    before.set_generation(line.generation());
    *before.mutable_time() = line.time();
    before.set_text(CheckpointText(before));
    return;
  }
  if (!history->empty() && line.kind() == HISTORY_KIND_PLACED && history->back().kind() == HISTORY_KIND_FAILED) {
    const absl::Duration after = absl::Trunc(TimeOf(line.time()) - TimeOf(history->back().time()), absl::Seconds(1));
    const std::string when = after > absl::ZeroDuration() ? absl::FormatDuration(after) : "at once";
    line.set_text(ToText(absl::StrCat(line.text(), ", ", when, " after the failure"), limits::kShortReasonBytes));
  }
  history->push_back(std::move(line));
  if (history->size() > kHistoryLines) history->erase(history->begin() + kHistoryFirst);
}

}  // namespace mimeo
