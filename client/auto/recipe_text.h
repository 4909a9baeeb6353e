// A chosen job as a recipe that a person reads and changes. Pure.
#pragma once

#include <string>

#include "client/auto/choose.h"

namespace mimeo {

// The text proto of choice.spec: what was chosen and why above, each block of it under a comment that says what it is.
// ParseRecipe makes the same spec of it again. `command` is the command line that it was chosen for.
std::string ChosenRecipeText(const Choice& choice, const std::string& command);

}  // namespace mimeo
