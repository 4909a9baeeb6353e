// A weights file, open: its tensors, the family that its keys speak of, and what lies beside it. One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/file.h"
#include "base/safetensors.h"
#include "model/weights.h"
#include "model/weights/layout.h"
#include "model/weights/stated.h"

namespace mimeo {

struct WeightsFile {
  std::string path;
  std::unique_ptr<SafetensorsFile> safetensors;  // this or
  std::optional<MappedFile> archive;             // a zip archive of torch.save
  NamedTensors tensors;                          // those of a safetensors file look into it
  Layout layout;
  WeightsSurroundings surroundings;
  std::vector<std::string> notes;  // of what was read and what was stripped

  std::vector<std::string> Keys() const;
  const at::Tensor* Find(const std::string& key) const;  // nullptr: no such key
  absl::string_view bytes() const { return safetensors != nullptr ? safetensors->bytes() : archive->bytes(); }
};

// `path`: a safetensors file, a zip archive of torch.save that holds a state dict, or a folder that has
// model.safetensors or else pytorch_model.bin. Wrappers' prefixes ("module.", "backbone.") are stripped. Errors as
// LoadEncoder.
absl::StatusOr<WeightsFile> OpenWeights(const std::string& path);

// InvalidArgument, a line for each problem: the path, the family that was assumed, the problem.
absl::Status RefuseWeights(const WeightsFile& weights, const std::vector<std::string>& problems);

}  // namespace mimeo
