// Files of torch.save: a zip archive with a pickle and the storages it names. Nothing in the pickle is run
// (model/weights/pickle.h). Pure functions over the file's bytes.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/weights.h"

namespace mimeo {

// A zip archive or a pickle, and no safetensors file.
bool LooksLikeTorchFile(absl::string_view bytes);

struct StateDict {
  NamedTensors tensors;  // look into the bytes, which must outlive them
  std::string entry;     // the key of the file's dict that they stood under; "": the dict itself
};

// The file's dict, or the one under "model", "state_dict" or "teacher". `path` is for the messages.
// DataLoss: truncated. InvalidArgument: the format before torch 1.6, a TorchScript archive, a whole module, compressed
// entries, big-endian storages: each with the line of Python that makes a file of it that can be read; an entry that is
// no plain tensor, named.
absl::StatusOr<StateDict> ReadTorchArchive(const std::string& path, absl::string_view bytes);

}  // namespace mimeo
