// An open weights file: its tensors, the family that its keys speak of, and what lies beside it. One thread at a time.
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

// The tensors look into the file, so they live no longer than this object.
struct WeightsFile {
  std::string path;
  // One of the two is set: a safetensors file, or a zip archive of torch.save.
  std::unique_ptr<SafetensorsFile> safetensors;
  std::optional<MappedFile> archive;
  NamedTensors tensors;
  Layout layout;
  WeightsSurroundings surroundings;
  std::vector<std::string> notes;  // what was read and what was stripped, for people

  // All keys, in the order of the alphabet.
  std::vector<std::string> Keys() const;
  const at::Tensor* Find(const std::string& key) const;  // nullptr: no such key
  absl::string_view bytes() const { return safetensors != nullptr ? safetensors->bytes() : archive->bytes(); }
};

// `path` is a safetensors file, a zip archive of torch.save that holds a state dict, or a folder that has
// model.safetensors or else pytorch_model.bin. Prefixes of wrappers ("module.", "backbone.") are stripped from the
// keys. The errors are those of LoadEncoder.
absl::StatusOr<WeightsFile> OpenWeights(const std::string& path);

// InvalidArgument with a line for each problem: the path, the family that the file was read as, and the problem.
absl::Status RefuseWeights(const WeightsFile& weights, const std::vector<std::string>& problems);

}  // namespace mimeo
