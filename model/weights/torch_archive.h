// Reads files of torch.save: a zip archive with a pickle and the storages that it names. Nothing in the pickle is run
// (model/weights/pickle.h). Pure functions over the file's bytes.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/weights.h"

namespace mimeo {

// Whether these bytes begin like a zip archive or a pickle, and not like a safetensors file.
bool LooksLikeTorchFile(absl::string_view bytes);

struct StateDict {
  NamedTensors tensors;  // they look into the bytes, which must outlive them
  std::string entry;     // the key of the file's dict under which they stood; "": the dict itself
};

// Finds the file's dict of tensors, or the one under "model", "state_dict" or "teacher". `path` is for the messages.
//
// DataLoss: the file is truncated. InvalidArgument: it is in the format before torch 1.6, a TorchScript archive or a
// whole module, for which the message has the line of Python that converts it; its entries are compressed or its
// storages big-endian; or an entry is no plain tensor, and the message names it.
absl::StatusOr<StateDict> ReadTorchArchive(const std::string& path, absl::string_view bytes);

}  // namespace mimeo
