// `coordinator --repair`: makes a store that the coordinator refuses one that it starts from, and says what that costs.
//
// Everything that can be read is written into a new store; the damaged one is kept whole in `damaged-<n>` in the same
// directory, with the entries that were set aside. The directory itself stays, as it may be a mount.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"

namespace mimeo {

// OK: a coordinator can start on `data_dir`; a store without damage is left as it is. `say` gets a line at a time.
// Unavailable: a coordinator holds the directory. NotFound: no store is there. ResourceExhausted: the disk has no room
// for a second store; nothing was changed then. DataLoss: nothing can be read.
absl::Status RepairStore(const std::string& data_dir, const std::function<void(const std::string&)>& say);

}  // namespace mimeo
