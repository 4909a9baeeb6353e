#include "model/weights/layout.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace mimeo {
namespace {

// What VitEncoder's parts are called. Layers end in what stands before "weight" and "bias"; nullptr: the family lacks
// the part.
struct Names {
  const char* patch;
  const char* class_token;
  const char* positions;
  const char* registers;
  const char* mask_token;
  const char* projection;
  const char* pre_norm;
  const char* blocks;
  const char* norm1;
  std::vector<const char*> qkv;
  const char* proj;
  const char* scale1;
  const char* norm2;
  const char* fc1;
  const char* fc2;
  const char* scale2;
  const char* norm;
};

const Names& TimmNames() {
  static const auto* const names =
      new Names{"patch_embed.proj.", "cls_token", "pos_embed",   "reg_token",  nullptr,     nullptr,  "norm_pre.",
                "blocks.",           "norm1.",    {"attn.qkv."}, "attn.proj.", "ls1.gamma", "norm2.", "mlp.fc1.",
                "mlp.fc2.",          "ls2.gamma", "norm."};
  return *names;
}

// facebookresearch/dinov2 (vision_transformer.py).
const Names& Dinov2Names() {
  static const auto* const names = [] {
    auto* changed = new Names(TimmNames());
    changed->registers = "register_tokens", changed->mask_token = "mask_token", changed->pre_norm = nullptr;
    return changed;
  }();
  return *names;
}

const Names& HfVitNames() {
  static const auto* const names =
      new Names{"embeddings.patch_embeddings.projection.",
                "embeddings.cls_token",
                "embeddings.position_embeddings",
                nullptr,
                nullptr,
                nullptr,
                nullptr,
                "encoder.layer.",
                "layernorm_before.",
                {"attention.attention.query.", "attention.attention.key.", "attention.attention.value."},
                "attention.output.dense.",
                nullptr,
                "layernorm_after.",
                "intermediate.dense.",
                "output.dense.",
                nullptr,
                "layernorm."};
  return *names;
}

const Names& HfDinov2Names() {
  static const auto* const names = [] {
    auto* changed = new Names(HfVitNames());
    changed->registers = "embeddings.register_tokens", changed->mask_token = "embeddings.mask_token";
    changed->norm1 = "norm1.", changed->norm2 = "norm2.", changed->fc1 = "mlp.fc1.", changed->fc2 = "mlp.fc2.";
    changed->scale1 = "layer_scale1.lambda1", changed->scale2 = "layer_scale2.lambda1";
    return changed;
  }();
  return *names;
}

// openai/CLIP (clip/model.py), VisionTransformer.
const Names& OpenAiClipNames() {
  static const auto* const names = new Names{"conv1.",
                                             "class_embedding",
                                             "positional_embedding",
                                             nullptr,
                                             nullptr,
                                             "visual.proj",
                                             "ln_pre.",
                                             "transformer.resblocks.",
                                             "ln_1.",
                                             {"attn.in_proj_"},
                                             "attn.out_proj.",
                                             nullptr,
                                             "ln_2.",
                                             "mlp.c_fc.",
                                             "mlp.c_proj.",
                                             nullptr,
                                             "ln_post."};
  return *names;
}

const Names& HfClipNames() {
  static const auto* const names = new Names{"embeddings.patch_embedding.",
                                             "embeddings.class_embedding",
                                             "embeddings.position_embedding.weight",
                                             nullptr,
                                             nullptr,
                                             "visual_projection.weight",
                                             "pre_layrnorm.",
                                             "encoder.layers.",
                                             "layer_norm1.",
                                             {"self_attn.q_proj.", "self_attn.k_proj.", "self_attn.v_proj."},
                                             "self_attn.out_proj.",
                                             nullptr,
                                             "layer_norm2.",
                                             "mlp.fc1.",
                                             "mlp.fc2.",
                                             nullptr,
                                             "post_layernorm."};
  return *names;
}

const Names& McmaeNames() {
  static const auto* const names = [] {
    auto* changed = new Names(TimmNames());
    changed->patch = "patch_embed1.proj.", changed->blocks = "blocks3.";
    return changed;
  }();
  return *names;
}

const Names& NamesOf(Naming naming) {
  switch (naming) {
    case Naming::kDinov2:
      return Dinov2Names();
    case Naming::kHfVit:
      return HfVitNames();
    case Naming::kHfDinov2:
      return HfDinov2Names();
    case Naming::kOpenAiClip:
      return OpenAiClipNames();
    case Naming::kHfClip:
      return HfClipNames();
    case Naming::kMcmae:
      return McmaeNames();
    case Naming::kTimm:
      break;
  }
  return TimmNames();
}

bool Has(const std::vector<std::string>& keys, absl::string_view key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

// Is there a key "PREFIXN.REST"?
bool AnyBlockHas(const std::vector<std::string>& keys, absl::string_view prefix, absl::string_view rest) {
  return std::any_of(keys.begin(), keys.end(), [&](absl::string_view key) {
    return absl::StartsWith(key, prefix) && absl::EndsWith(key, absl::StrCat(".", rest));
  });
}

bool AnyStartsWith(absl::string_view key, const std::vector<absl::string_view>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](absl::string_view prefix) { return absl::StartsWith(key, prefix); });
}

std::string WithPrefix(const std::string& prefix, const char* name) { return name == nullptr ? "" : prefix + name; }

// A layer's weight and, where it has one, its bias.
void AddLayer(const std::string& parameter, const std::string& file_prefix, const std::vector<const char*>& names,
              bool bias, std::vector<KeyRule>* rules) {
  for (const char* leaf : {"weight", "bias"}) {
    if (leaf[0] == 'b' && !bias) continue;
    KeyRule rule{absl::StrCat(parameter, leaf), {}};
    for (const char* name : names) rule.sources.push_back(absl::StrCat(file_prefix, name, leaf));
    rules->push_back(std::move(rule));
  }
}

}  // namespace

std::string Layout::PatchWeight() const { return absl::StrCat(prefix, NamesOf(naming).patch, "weight"); }
std::string Layout::Positions() const { return prefix + NamesOf(naming).positions; }
std::string Layout::ClassToken() const { return prefix + NamesOf(naming).class_token; }
std::string Layout::Registers() const { return WithPrefix(prefix, NamesOf(naming).registers); }
std::string Layout::MaskToken() const { return WithPrefix(prefix, NamesOf(naming).mask_token); }
std::string Layout::Projection() const { return WithPrefix("", NamesOf(naming).projection); }

std::string Layout::FirstMlp(int layer) const {
  const Names& names = NamesOf(naming);
  return absl::StrCat(prefix, names.blocks, "0.", layer == 1 ? names.fc1 : names.fc2, "weight");
}

VitParts Layout::PartsOf(const std::vector<std::string>& keys) const {
  const Names& names = NamesOf(naming);
  const std::string blocks = prefix + names.blocks;
  const bool timm = naming == Naming::kTimm;
  VitParts parts;
  parts.depth = CountBlocks(keys, blocks);
  parts.class_token = !timm || Has(keys, ClassToken());
  parts.registers = names.registers != nullptr && Has(keys, Registers());
  parts.pre_norm = HasFlatTokens() || (timm && Has(keys, absl::StrCat(prefix, names.pre_norm, "weight")));
  // CLIP has none, and timm none exactly where it has pre_norm; a checkpoint of Mimeo's may have both.
  parts.patch_bias = !parts.pre_norm || Has(keys, absl::StrCat(prefix, names.patch, "bias"));
  parts.qkv_bias = HasFlatTokens() || AnyBlockHas(keys, blocks, absl::StrCat(names.qkv.front(), "bias"));
  parts.layer_scale =
      naming == Naming::kHfDinov2 || (names.scale1 != nullptr && AnyBlockHas(keys, blocks, names.scale1));
  return parts;
}

std::vector<KeyRule> Layout::Rules(const VitParts& parts) const {
  const Names& names = NamesOf(naming);
  std::vector<KeyRule> rules;
  if (parts.class_token) rules.push_back({"encoder.cls_token", {ClassToken()}});
  if (parts.registers) rules.push_back({"encoder.reg_token", {Registers()}});
  AddLayer("encoder.patch_embed.proj.", prefix, {names.patch}, parts.patch_bias, &rules);
  if (parts.pre_norm) AddLayer("encoder.norm_pre.", prefix, {names.pre_norm}, true, &rules);
  for (int i = 0; i < parts.depth; ++i) {
    const std::string ours = absl::StrCat("encoder.blocks.", i, "."),
                      theirs = absl::StrCat(prefix, names.blocks, i, ".");
    AddLayer(ours + "norm1.", theirs, {names.norm1}, true, &rules);
    AddLayer(ours + "attn.qkv.", theirs, names.qkv, parts.qkv_bias, &rules);
    AddLayer(ours + "attn.proj.", theirs, {names.proj}, true, &rules);
    AddLayer(ours + "norm2.", theirs, {names.norm2}, true, &rules);
    AddLayer(ours + "mlp.fc1.", theirs, {names.fc1}, true, &rules);
    AddLayer(ours + "mlp.fc2.", theirs, {names.fc2}, true, &rules);
    if (!parts.layer_scale) continue;
    rules.push_back({ours + "ls1.gamma", {theirs + names.scale1}});
    rules.push_back({ours + "ls2.gamma", {theirs + names.scale2}});
  }
  AddLayer("encoder.norm.", prefix, {names.norm}, true, &rules);
  return rules;
}

bool Layout::PassesOver(absl::string_view key) const {
  if (family == "mimeo") return absl::StartsWith(key, "objective.") || key == "encoder.mask_token";
  if (!MaskToken().empty() && key == MaskToken()) return true;
  switch (naming) {
    case Naming::kTimm:
    case Naming::kDinov2:
    case Naming::kMcmae:
      // A mask token stands for hidden patches (SimMIM's in `mask_token`), which an encoder of whole images has not.
      if (AnyStartsWith(key, {"head.", "fc_norm."}) || key == "mask_token") return true;
      return (family == "mae" || family == "mcmae") && absl::StartsWith(key, "decoder_");
    case Naming::kHfVit:
    case Naming::kHfDinov2:
      return AnyStartsWith(key, {"decoder.", "classifier."}) || absl::StartsWith(key, prefix + "pooler.");
    case Naming::kOpenAiClip:
      return AnyStartsWith(key, {"transformer.", "token_embedding.", "ln_final."}) || key == "positional_embedding" ||
             key == "text_projection" || key == "logit_scale" || key == "logit_bias" || key == "attn_mask" ||
             key == "input_resolution" || key == "context_length" || key == "vocab_size";
    case Naming::kHfClip:
      return AnyStartsWith(key, {"text_model.", "text_projection.", "classifier."}) || key == "logit_scale" ||
             key == prefix + "embeddings.position_ids";
  }
  return false;
}

int CountBlocks(const std::vector<std::string>& keys, absl::string_view prefix) {
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

}  // namespace mimeo
