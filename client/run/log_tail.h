// The end of a child process's log, for messages about that child. A pure function but for reading the file.
#pragma once

#include <string>

namespace mimeo {

// The last twelve lines of the file as text (base/text.h). Each begins with a line break and "  | ". Empty when the
// file is empty or does not exist.
std::string LogTail(const std::string& path);

}  // namespace mimeo
