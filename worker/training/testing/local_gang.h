// A gang whose ranks are threads of this process, joined by Gloo over loopback: for tests.
#pragma once

#include <functional>

#include "worker/training/gang.h"

namespace mimeo::testing {

// Calls `body` on `size` threads at once, each with its rank's gang, and returns when all have returned. A rank that
// cannot join fails the test.
void RunAsGang(int size, const std::function<void(Gang* gang)>& body);

}  // namespace mimeo::testing
