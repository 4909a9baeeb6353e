// The names that an encoder's tensors have in weights files of different origin. Pure functions; no torch.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mimeo {

// One table of names each. kMcmae's are Mimeo's own, without "encoder.".
enum class Naming { kTimm, kDinov2, kHfVit, kHfDinov2, kOpenAiClip, kHfClip, kMcmae };

// Which parts of VitEncoder there are; the rest every ViT has.
struct VitParts {
  int depth = 0;
  bool class_token = false;
  bool registers = false;
  bool pre_norm = false;
  bool patch_bias = false;
  bool qkv_bias = false;
  bool layer_scale = false;
};

// Where one encoder parameter is in a file: under one key, or as the rows of several (query, key, value).
struct KeyRule {
  std::string parameter;             // "encoder.blocks.0.attn.qkv.weight"
  std::vector<std::string> sources;  // in order of rows
};

struct Layout {
  std::string family;  // as LoadedEncoder::family
  Naming naming = Naming::kTimm;
  std::string prefix;  // of every encoder key: "", "encoder.", "vit.", "visual."

  std::string PatchWeight() const;
  std::string Positions() const;
  std::string ClassToken() const;
  std::string Registers() const;          // "" where the family has none; likewise the next two
  std::string Projection() const;         // CLIP's
  std::string MaskToken() const;          // DINOv2's, which the encoder of whole images never reads
  std::string FirstMlp(int layer) const;  // "...0.mlp.fc1.weight" for layer 1, fc2 for 2
  // Tokens and positions without leading dimensions of one, as CLIP keeps them.
  bool HasFlatTokens() const { return naming == Naming::kOpenAiClip || naming == Naming::kHfClip; }
  // The parts that `keys` speak of, and those that the family always has, so that their absence is an error.
  VitParts PartsOf(const std::vector<std::string>& keys) const;
  // Every parameter of VitEncoder but its positions. REQUIRES: not kMcmae; parts that the family can name.
  std::vector<KeyRule> Rules(const VitParts& parts) const;
  // A known part of the file that is not the encoder: decoder, pooler, classifier, text tower.
  bool PassesOver(absl::string_view key) const;
};

// InvalidArgument: no known family has such keys; names the families and the first keys.
absl::StatusOr<Layout> DetectLayout(const std::vector<std::string>& keys);

// One more than the largest N in keys "PREFIXN.rest".
int CountBlocks(const std::vector<std::string>& keys, absl::string_view prefix);

}  // namespace mimeo
