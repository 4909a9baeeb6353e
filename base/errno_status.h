// Turns errno of a call on a file or folder into a Status whose code says what the caller can do. A pure function.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace mimeo {

// The message is `what`, which names the call and the path, and the system's text for `error`. The code is one of
// these:
//   NotFound           nothing has that name; a link that leads nowhere or to itself counts too
//   PermissionDenied   this user may not, or the file system is mounted read-only
//   ResourceExhausted  the disk or the user's quota is full, or the file would be too large
//   InvalidArgument    the name is too long, or it is the name of a folder
//   Unavailable        the disk, the mount or this host fails now and may work again soon: EIO, ESTALE, a file server
//                      that does not answer, too many open files. The same call may be tried again.
//   Internal           everything else
absl::Status ErrnoStatus(int error, absl::string_view what);

}  // namespace mimeo
