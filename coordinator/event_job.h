// The job that an event is about. Pure.
#pragma once

#include <string>

#include "proto/event.pb.h"

namespace mimeo {

// Empty when it is about none.
std::string JobOf(const Event& event);

}  // namespace mimeo
