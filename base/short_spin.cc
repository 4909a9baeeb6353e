#include "base/short_spin.h"

#include <unistd.h>

#include <cstdlib>

namespace mimeo {

void SpinShortly(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  if (setenv("GOMP_SPINCOUNT", "2000", /*overwrite=*/0) != 0) return;
  execv("/proc/self/exe", argv);
}

}  // namespace mimeo
