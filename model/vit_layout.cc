#include "model/vit_layout.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace mimeo {
namespace {

using Names = VitLayout::Names;

struct Rename {
  const char* timm;
  std::vector<const char*> hugging_face;
};

const std::vector<Rename>& StemNames() {
  static const auto* const names = new std::vector<Rename>{
      {"cls_token", {"embeddings.cls_token"}},
      {"patch_embed.proj.weight", {"embeddings.patch_embeddings.projection.weight"}},
      {"patch_embed.proj.bias", {"embeddings.patch_embeddings.projection.bias"}},
  };
  return *names;
}

// Layers of a block; each has a weight and a bias.
const std::vector<Rename>& BlockNames() {
  static const auto* const names = new std::vector<Rename>{
      {"norm1", {"layernorm_before"}},
      {"attn.qkv", {"attention.attention.query", "attention.attention.key", "attention.attention.value"}},
      {"attn.proj", {"attention.output.dense"}},
      {"norm2", {"layernorm_after"}},
      {"mlp.fc1", {"intermediate.dense"}},
      {"mlp.fc2", {"output.dense"}},
  };
  return *names;
}

std::string BlockPrefix(const VitLayout& layout) {
  return layout.prefix + (layout.names == Names::kTimm ? "blocks." : "encoder.layer.");
}

bool Has(const std::vector<std::string>& keys, const std::string& key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

bool AnyStartsWith(const std::vector<std::string>& keys, absl::string_view prefix) {
  return std::any_of(keys.begin(), keys.end(), [&](const std::string& key) { return absl::StartsWith(key, prefix); });
}

// One more than the largest N in keys "PREFIXN.rest".
int CountBlocks(const std::vector<std::string>& keys, const std::string& prefix) {
  int count = 0;
  for (const std::string& key : keys) {
    if (!absl::StartsWith(key, prefix)) continue;
    int number = 0;
    const size_t dot = key.find('.', prefix.size());
    if (dot == std::string::npos || dot - prefix.size() > 4) continue;
    if (absl::SimpleAtoi(key.substr(prefix.size(), dot - prefix.size()), &number)) count = std::max(count, number + 1);
  }
  return count;
}

void AddRule(const VitLayout& layout, const Rename& rename, const std::string& timm_prefix, const std::string& file_prefix,
             const std::string& suffix, std::vector<KeyRule>* rules) {
  KeyRule rule{absl::StrCat("encoder.", timm_prefix, rename.timm, suffix), {}};
  if (layout.names == Names::kTimm) {
    rule.sources = {absl::StrCat(file_prefix, rename.timm, suffix)};
  } else {
    for (const char* name : rename.hugging_face) rule.sources.push_back(absl::StrCat(file_prefix, name, suffix));
  }
  rules->push_back(std::move(rule));
}

}  // namespace

std::string VitLayout::PatchWeight() const {
  return prefix + (names == Names::kTimm ? "patch_embed.proj.weight" : "embeddings.patch_embeddings.projection.weight");
}

std::string VitLayout::Positions() const {
  return prefix + (names == Names::kTimm ? "pos_embed" : "embeddings.position_embeddings");
}

std::string VitLayout::FirstMlpWeight() const {
  return BlockPrefix(*this) + (names == Names::kTimm ? "0.mlp.fc1.weight" : "0.intermediate.dense.weight");
}

std::vector<KeyRule> VitLayout::Rules() const {
  std::vector<KeyRule> rules;
  for (const Rename& rename : StemNames()) AddRule(*this, rename, "", prefix, "", &rules);
  for (int i = 0; i < depth; ++i) {
    for (const Rename& rename : BlockNames()) {
      for (const char* suffix : {".weight", ".bias"}) {
        AddRule(*this, rename, absl::StrCat("blocks.", i, "."), absl::StrCat(BlockPrefix(*this), i, "."), suffix, &rules);
      }
    }
  }
  for (const char* suffix : {".weight", ".bias"}) AddRule(*this, {"norm", {"layernorm"}}, "", prefix, suffix, &rules);
  return rules;
}

bool VitLayout::PassesOver(absl::string_view key) const {
  if (family == "mimeo") return absl::StartsWith(key, "objective.");
  if (names == Names::kTimm) {
    return absl::StartsWith(key, "head.") || (family == "mae" && (key == "mask_token" || absl::StartsWith(key, "decoder_")));
  }
  return absl::StartsWith(key, "decoder.") || absl::StartsWith(key, "classifier.") || absl::StartsWith(key, prefix + "pooler.");
}

absl::StatusOr<VitLayout> DetectVitLayout(const std::vector<std::string>& keys) {
  const std::vector<VitLayout> candidates = {
      {"mimeo", Names::kTimm, "encoder.", 0},
      {AnyStartsWith(keys, "decoder_") ? "mae" : "timm", Names::kTimm, "", 0},
      {AnyStartsWith(keys, "decoder.") ? "hf-vit-mae" : "hf-vit", Names::kHuggingFace, "vit.", 0},
      {"hf-vit", Names::kHuggingFace, "", 0},
  };
  for (VitLayout layout : candidates) {
    if (!Has(keys, layout.PatchWeight())) continue;
    layout.depth = CountBlocks(keys, BlockPrefix(layout));
    return layout;
  }
  std::vector<std::string> missing;
  for (const VitLayout& layout : candidates) missing.push_back(layout.PatchWeight());
  std::vector<std::string> first(keys.begin(), keys.begin() + std::min<size_t>(keys.size(), 8));
  return absl::InvalidArgumentError(absl::StrCat(
      "no encoder of a known family (mimeo, timm, mae, hf-vit, hf-vit-mae): it has none of ", absl::StrJoin(missing, ", "),
      "; its ", keys.size(), " keys begin with ", absl::StrJoin(first, ", ")));
}

VitLayout HfVitLayout(int depth) { return {"hf-vit", Names::kHuggingFace, "vit.", depth}; }

}  // namespace mimeo
