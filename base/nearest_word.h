// The word that a person may have meant. Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace mimeo {

// The one of `known` that is nearest to `given`: the fewest letters that are wrong, missing, too many or changed for
// their neighbours; of equals the first. A word that begins with `given`, or that `given` begins with, is near too.
// Empty when none is near: at most a third of the letters may be wrong, and one always may.
std::string NearestWord(absl::string_view given, const std::vector<std::string>& known);

}  // namespace mimeo
