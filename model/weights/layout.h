// The names that an encoder's tensors have in weights files of different origin. Pure functions; no torch.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mimeo {

// Each is one table of names. kMcmae's are Mimeo's own, without "encoder.".
enum class Naming { kTimm, kDinov2, kHfVit, kHfDinov2, kOpenAiClip, kHfClip, kMcmae };

// Which of VitEncoder's optional parts there are. Every ViT has the others.
struct VitParts {
  int depth = 0;
  bool class_token = false;
  bool registers = false;
  bool pre_norm = false;
  bool patch_bias = false;
  bool qkv_bias = false;
  bool layer_scale = false;
};

// Where one parameter of the encoder is in a file: under one key, or as the rows of several keys (query, key, value).
struct KeyRule {
  std::string parameter;             // "encoder.blocks.0.attn.qkv.weight"
  std::vector<std::string> sources;  // in order of rows
};

// The names of one family of files. It is a value.
struct Layout {
  std::string family;  // as LoadedEncoder::family
  Naming naming = Naming::kTimm;
  std::string prefix;  // of every encoder key: "", "encoder.", "vit.", "visual."

  std::string PatchWeight() const;
  std::string Positions() const;
  std::string ClassToken() const;
  // These three are "" where the family has no such part.
  std::string Registers() const;
  std::string Projection() const;         // CLIP's
  std::string MaskToken() const;          // DINOv2's, which the encoder of whole images never reads
  std::string FirstMlp(int layer) const;  // "...0.mlp.fc1.weight" for layer 1, fc2 for 2
  // Whether tokens and positions lack leading dimensions of one, as CLIP keeps them.
  bool HasFlatTokens() const { return naming == Naming::kOpenAiClip || naming == Naming::kHfClip; }
  // The parts that `keys` speak of, and those that the family always has. The absence of the latter is then an error.
  VitParts PartsOf(const std::vector<std::string>& keys) const;
  // Every parameter of VitEncoder except its positions. REQUIRES: not kMcmae; parts that the family has names for.
  std::vector<KeyRule> Rules(const VitParts& parts) const;
  // Whether the key is a known part of the file that is not the encoder: a decoder, pooler, classifier or text tower.
  bool PassesOver(absl::string_view key) const;
};

// Each family as its files begin, before its other keys tell it from those that share its patch embedding's name
// (DetectLayout). The same family comes once for each prefix of its own.
const std::vector<Layout>& KnownLayouts();

// Finds the family by its keys. InvalidArgument: no known family has such keys; the message names the families and the
// first keys of the file.
absl::StatusOr<Layout> DetectLayout(const std::vector<std::string>& keys);

// One more than the largest N in keys "PREFIXN.rest".
int CountBlocks(const std::vector<std::string>& keys, absl::string_view prefix);

}  // namespace mimeo
