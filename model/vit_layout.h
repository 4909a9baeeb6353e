// The names that a ViT's tensors have in weights files of different origin. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mimeo {

// Where one encoder parameter is in a file: under one key, or as the rows of several (query, key, value).
struct KeyRule {
  std::string parameter;             // "encoder.blocks.0.attn.qkv.weight"
  std::vector<std::string> sources;  // in order of rows
};

struct VitLayout {
  enum class Names { kTimm, kHuggingFace };

  std::string family;  // as LoadedEncoder::family
  Names names = Names::kTimm;
  std::string prefix;  // of every encoder key: "", "encoder.", "vit."
  int depth = 0;       // blocks that the keys speak of

  std::string PatchWeight() const;
  std::string Positions() const;
  std::string FirstMlpWeight() const;  // of block 0
  // Every parameter of the encoder, in the order of VitEncoder; positions are not among them.
  std::vector<KeyRule> Rules() const;
  // A known part of the file that is not the encoder: decoder, pooler, classifier.
  bool PassesOver(absl::string_view key) const;
};

// InvalidArgument: no known family has such keys; names the families and the first keys.
absl::StatusOr<VitLayout> DetectVitLayout(const std::vector<std::string>& keys);

// The layout of an exported encoder: Hugging Face's `vit`.
VitLayout HfVitLayout(int depth);

}  // namespace mimeo
