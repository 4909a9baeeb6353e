// An open weights file: its tensors, the family that its keys speak of, and what lies beside it. One thread at a time.
#pragma once

#include <memory>
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
  std::string path;  // of the file, or of the index of its shards
  // One of the two has one file, or every shard in the order of names: safetensors, or zip archives of torch.save.
  std::vector<std::unique_ptr<SafetensorsFile>> safetensors;
  std::vector<MappedFile> archives;
  NamedTensors tensors;
  Layout layout;
  WeightsSurroundings surroundings;
  std::vector<std::string> notes;  // what was read and what was stripped, for people

  // All keys, in the order of the alphabet.
  std::vector<std::string> Keys() const;
  const at::Tensor* Find(const std::string& key) const;  // nullptr: no such key
  std::string Digest() const;                            // as LoadedEncoder::digest; reads every byte
};

// `path` is a safetensors file, a zip archive of torch.save that holds a state dict, an index of such files
// (model/weights/shard_index.h), or a folder that has one of them: model.safetensors, its index, pytorch_model.bin or
// its index, the first of these that there is. What wrappers put before and into the keys is taken off
// (model/weights/key_names.h). The errors are those of LoadEncoder.
absl::StatusOr<WeightsFile> OpenWeights(const std::string& path);

// InvalidArgument with a line for each problem: the path, the family that the file was read as, and the problem.
absl::Status RefuseWeights(const WeightsFile& weights, const std::vector<std::string>& problems);

}  // namespace mimeo
