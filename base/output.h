// Finds before the work whether its output can be written, rather than after minutes or hours of it. The functions are
// thread-safe, block for as long as the disk needs, and leave nothing behind: each writes a small file where the output
// will be, and removes it. What changes afterwards, such as a disk that fills up, they cannot know.
//
// The message begins with `what`, as "--out", and names the path as text (base/text.h). ResourceExhausted: the disk or
// the user's quota is full. InvalidArgument: everything else, such as a missing parent, a folder where a file is wanted
// or the other way round, a folder that this user may not write to.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace mimeo {

// For a file that WriteFileAtomic can write or replace; its parent must be there.
absl::Status CheckOutputFile(absl::string_view what, const std::string& path);
// For a folder that is there, or that MakeDirs can make.
absl::Status CheckOutputFolder(absl::string_view what, const std::string& path);
// For TempDir: TemporaryRoot() (base/temporary_root.h).
absl::Status CheckTemporaryFolder();

// The error with `name` wherever its message has `path`: a file that this program made for a while says nothing to a
// person, who never named it.
absl::Status Renamed(const absl::Status& status, const std::string& path, absl::string_view name);

}  // namespace mimeo
