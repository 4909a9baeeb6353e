// Which job an event is about. A pure function.
#pragma once

#include <string>

#include "proto/event.pb.h"

namespace mimeo {

// The job's id. Empty when the event is about a worker or a teacher.
std::string JobOf(const Event& event);

}  // namespace mimeo
