#include "base/temporary_root.h"

#include <cstdlib>

namespace mimeo {

std::string TemporaryRoot() {
  const char* const given = std::getenv("TMPDIR");
  return given != nullptr && *given != '\0' ? given : "/tmp";
}

}  // namespace mimeo
