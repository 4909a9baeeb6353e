#include "base/short_spin.h"

#include <unistd.h>

#include <cstdlib>

namespace mimeo {

namespace {

bool IsChosen() { return std::getenv("GOMP_SPINCOUNT") != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr; }

bool Choose() { return setenv("GOMP_SPINCOUNT", "2000", /*overwrite=*/0) == 0; }

}  // namespace

void SpinShortly(char** argv) {
  if (!IsChosen() && Choose()) execv("/proc/self/exe", argv);
}

void LetChildrenSpinShortly() {
  if (!IsChosen()) Choose();
}

}  // namespace mimeo
