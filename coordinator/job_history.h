// A job's history: one plain line for each thing that happened to it, in the words that `mimeo events` prints. It
// follows from the events alone, so a replay of the journal gives the same one. It is bounded, and stays when the
// events themselves have given way to a snapshot. Pure; thread-safe.
#pragma once

#include <optional>
#include <vector>

#include "proto/event.pb.h"

namespace mimeo {

// Lines that a job keeps. Of more, those behind the first kHistoryFirst go, the oldest first.
constexpr size_t kHistoryFirst = 8;
constexpr size_t kHistoryLines = 64;

// What a line says of the job beside its event: as it was before that event, except for `failures_in_a_row`.
struct HistoryFacts {
  int failures_in_a_row = 0;  // with the failure that the event tells of
  int max_restarts = 0;
  const JobSpec* spec = nullptr;  // for JobExtended
};

// The line of an event of a job, without its number. Nothing: the event has none, because it says nothing about what
// happened to the job.
std::optional<HistoryEntry> HistoryLine(const Event& event, const HistoryFacts& facts);

// Adds a line to a history. A checkpoint that follows a checkpoint joins its line; a generation that is placed after a
// failure says how long after it.
void AddHistory(HistoryEntry line, std::vector<HistoryEntry>* history);

}  // namespace mimeo
