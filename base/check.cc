#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace mimeo {

void FailCheck(const char* file, int line, const char* condition, const std::string& message) {
  std::fprintf(stderr, "%s:%d: MIMEO_CHECK(%s) failed: %s\n", file, line, condition, message.c_str());
  std::fflush(stderr);
  std::abort();
}

}  // namespace mimeo
