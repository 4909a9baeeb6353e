// What the states of a job are called. Pure; thread-safe.
#pragma once

#include <string>

#include "proto/event.pb.h"

namespace mimeo {

// The name of a state in lower case, such as "pending" or "succeeded": for people, and for the labels of metrics. A
// state that only a later version knows is its number.
std::string StateName(JobState state);

}  // namespace mimeo
