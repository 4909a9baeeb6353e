// What errno says of a file or folder, as a Status that tells kinds of failure apart. A pure function.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace mimeo {

// `what` and the words of `error`. By what a caller can do about it:
// NotFound: there is nothing of that name (a link to nothing, or to itself, too). PermissionDenied: this user may not.
// ResourceExhausted: no room left. InvalidArgument: no file system takes such a name, or it is a folder. Unavailable:
// the disk, the mount or this host fails now, and may not in a moment (EIO, ESTALE, a file server that does not answer,
// too many open files). Internal: the rest.
absl::Status ErrnoStatus(int error, absl::string_view what);

}  // namespace mimeo
