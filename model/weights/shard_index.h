// The index of a model that is kept in several files, as Hugging Face's libraries write it:
// model.safetensors.index.json or pytorch_model.bin.index.json, whose `weight_map` says for each tensor in which file
// beside it the tensor is. Pure functions; no torch.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mimeo {

// The names of the files, each with the keys that it should have.
using ShardIndex = std::map<std::string, std::set<std::string>>;

constexpr int64_t kShardIndexBytes = 64 << 20;
constexpr size_t kShards = 1000;

// Whether a path is that of an index: its name ends in ".index.json".
bool IsShardIndex(absl::string_view path);

// InvalidArgument: the text is no index, a shard is not the plain name of a file (one with a "/" would lead out of the
// folder), the index names a tensor twice, or it names more than kShards files. The message names all of them.
absl::StatusOr<ShardIndex> ParseShardIndex(absl::string_view text);

// What a shard that holds `keys` has in another way than the index says: a tensor that it lacks, or one that the index
// puts into another file or names nowhere. An index beside the shards of another download is found so.
std::vector<std::string> CompareShard(const ShardIndex& index, const std::string& shard,
                                      const std::set<std::string>& keys);

// For a path such as DIR/model-00002-of-00003.safetensors, which holds a part of a model: what to name in its place. ""
// for any other.
std::string WholeOfShard(absl::string_view path);

}  // namespace mimeo
