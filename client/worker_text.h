// A worker as a row and as a sentence for people. Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "proto/coordinator.pb.h"

namespace mimeo {

std::vector<std::string> WorkerHeader();

// Its slots, free and busy, how long it has been silent, and a word for its state:
//   gone      silent for longer than its lease: its gangs may be placed elsewhere
//   silent    it missed so many beats that it is offered nothing new
//   leaving   its agent was told to stop
//   draining  a person drained it, and gangs are still there; `drained`: none are
//   avoided   gangs failed there lately
//   ready
// and last what the coordinator says of that: until when, and which failure it was.
std::vector<std::string> WorkerRow(const Worker& worker);

// "12.5s".
std::string SilenceText(const google::protobuf::Duration& silent);

// "w1 is drained: nothing new is placed there; the gangs on 2 of its 4 slots move after a checkpoint".
std::string DrainText(const Worker& worker);

}  // namespace mimeo
