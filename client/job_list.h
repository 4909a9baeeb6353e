// The rows of `mimeo list`. A row takes at most kListColumns columns, so that it does not wrap on the narrowest common
// terminal; `-o wide` has everything. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "proto/coordinator.pb.h"

namespace mimeo {

constexpr size_t kListColumns = 80;

// Cuts `text` to `columns`, with … in the last one where something is left out.
std::string Shortened(const std::string& text, size_t columns);

// The job's name, also from a coordinator of an earlier version, which sends it with the spec alone.
std::string NameOf(const Job& job);
// Why the job is in its state, as `mimeo explain` says first.
std::string WhyText(const Job& job);

std::vector<std::string> JobListHeader();
// `now` is the time on this machine's calendar, for AGE.
std::vector<std::string> JobListRow(const Job& job, absl::Time now);
// The line below a row: why the job does not train, or what is wrong with one that does. Empty: there is nothing to
// say.
std::string JobListNote(const Job& job);

std::vector<std::string> WideJobListHeader();
std::vector<std::string> WideJobListRow(const Job& job);

}  // namespace mimeo
