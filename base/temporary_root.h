// The folder in which temporary files and folders are made: the one that $TMPDIR names, or /tmp where that is not set.
// Pure but for reading the environment; thread-safe as long as nobody changes that.
#pragma once

#include <string>

namespace mimeo {

std::string TemporaryRoot();

}  // namespace mimeo
