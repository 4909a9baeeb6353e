// Who calls: the user's name on this machine, which the coordinator writes down beside what was asked for. Nobody
// proves it. Thread-safe.
#pragma once

#include <string>

namespace mimeo {

// The name of the process's user in the system's list, else what USER says, else "uid 1000".
std::string UserName();

}  // namespace mimeo
