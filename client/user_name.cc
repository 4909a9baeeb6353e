#include "client/user_name.h"

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/text.h"

namespace mimeo {

std::string UserName() {
  std::array<char, 16384> buffer;
  passwd entry = {};
  passwd* found = nullptr;
  const uid_t user = geteuid();
  if (getpwuid_r(user, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
    return ToText(found->pw_name, limits::kNameBytes);
  }
  const char* const named = std::getenv("USER");
  return named != nullptr && *named != '\0' ? ToText(named, limits::kNameBytes) : absl::StrCat("uid ", user);
}

}  // namespace mimeo
