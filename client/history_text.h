// A job's history as lines of text for people. Pure functions; everything that a coordinator says is made text.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "proto/coordinator.pb.h"

namespace mimeo {

// One line for each entry: "2026-11-30 17:02:46  rank 1 ...". Where events were left out, a line says how many.
// `number` is that of the newest line that was printed before, 0 at first; it becomes that of the last line here.
std::string EventLines(const EventsReply& reply, int64_t* number, absl::TimeZone zone);

// "now: needs 2 slots ..." with a line break; empty where the coordinator said nothing.
std::string NowLine(const EventsReply& reply);

}  // namespace mimeo
