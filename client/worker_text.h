// A worker as a row of a table and as a sentence, for people. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "proto/coordinator.pb.h"

namespace mimeo {

std::vector<std::string> WorkerHeader();

// The row of a worker: its slots, those that are busy, how long it has been silent, and one word for its state:
//   gone      it has been silent for longer than its lease, so its gangs may be placed elsewhere
//   silent    it missed three heartbeats, so it is offered nothing new
//   leaving   its agent was told to stop
//   draining  a person drained it, and gangs are still there
//   drained   a person drained it, and no gang is there
//   avoided   gangs failed there lately, so other workers are preferred
//   ready     gangs may be placed there
// The last cell is what the coordinator says about that state: how long it lasts, and which failure it was.
std::vector<std::string> WorkerRow(const Worker& worker);

// "12.5s".
std::string SilenceText(const google::protobuf::Duration& silent);

// "w1 is drained: nothing new is placed there; the gangs on 2 of its 4 slots move after a checkpoint".
std::string DrainText(const Worker& worker);

}  // namespace mimeo
