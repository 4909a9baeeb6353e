// `coordinator --repair`: turns a store that the coordinator refuses into one from which it starts, and says what is
// lost.
//
// Everything that can be read is written into a new store. The damaged files are kept in the folder `damaged-<n>` of
// the same directory, with the entries that were set aside and a file REPAIR that says what was done. The directory
// itself stays, because it may be the root of a mount. A repair that was killed is run again: it begins anew, or
// finishes what it had begun to move.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"

namespace mimeo {

// After OK a coordinator can start on `data_dir`. A store without damage is left as it is. `say` is called in this
// thread with one line at a time, for the person. It reads the whole store, so it may take long.
//
// Unavailable: a coordinator holds the directory, or the disk fails. NotFound: there is no store. ResourceExhausted:
// the disk has no room for a second store, and nothing was changed. DataLoss: nothing can be read.
absl::Status RepairStore(const std::string& data_dir, const std::function<void(const std::string&)>& say);

}  // namespace mimeo
