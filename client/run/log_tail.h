// The end of a child's log, for messages about that child.
#pragma once

#include <string>

namespace mimeo {

// The last dozen lines of the file as text (base/text.h), each on a line of its own behind "  | ", with a line break
// before the first. Empty when the file is empty or not there.
std::string LogTail(const std::string& path);

}  // namespace mimeo
