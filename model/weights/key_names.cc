#include "model/weights/key_names.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "model/weights/layout.h"

namespace mimeo {
namespace {

using Keys = std::map<std::string, std::string>;  // as EncoderKeys::keys

// A key becomes `name`. Two keys of one name would be two values for one tensor.
absl::Status Add(const std::string& name, const std::string& key, absl::string_view because, Keys* keys) {
  const auto [other, added] = keys->emplace(name, key);
  if (added) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("keys ", other->second, " and ", key, " are both ", name, because));
}

// torch wraps a module in another one, under one of these names, also in the middle of a model (one block alone).
std::string WithoutWrappers(const std::string& key) {
  const std::vector<std::string> parts = absl::StrSplit(key, '.');
  std::vector<std::string> kept;
  for (const std::string& part : parts) {
    if (part != "_orig_mod" && part != "_fsdp_wrapped_module" && part != "_checkpoint_wrapped_module") {
      kept.push_back(part);
    }
  }
  return absl::StrJoin(kept, ".");
}

// The keys of patch embeddings in files of other programs, the longest first: "vit.embeddings..." is a name of Hugging
// Face's, and not "embeddings..." under a prefix.
std::vector<std::string> PatchKeys() {
  std::vector<std::string> patches;
  for (const Layout& layout : KnownLayouts()) {
    if (layout.family != "mimeo") patches.push_back(layout.PatchWeight());
  }
  std::sort(patches.begin(), patches.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
  return patches;
}

// What stands before each patch embedding: "" for a plain file.
std::set<std::string> Prefixes(const Keys& keys) {
  const std::vector<std::string> patches = PatchKeys();
  std::set<std::string> prefixes;
  for (const auto& [name, key] : keys) {
    const absl::string_view text = name;
    const auto patch = std::find_if(patches.begin(), patches.end(), [&](const std::string& candidate) {
      return text == candidate || absl::EndsWith(text, absl::StrCat(".", candidate));
    });
    if (patch != patches.end()) prefixes.insert(name.substr(0, name.size() - patch->size()));
  }
  return prefixes;
}

absl::Status RefuseSeveral(const std::set<std::string>& prefixes) {
  std::vector<std::string> named;
  for (const std::string& prefix : prefixes) {
    named.push_back(prefix.empty() ? "one without a prefix" : absl::StrCat("one under \"", prefix, "\""));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("it holds ", prefixes.size(), " encoders, ", absl::StrJoin(named, " and "),
                   ", and does not say which is meant: write the tensors of one to a file of their own, in Python "
                   "{key: value for key, value in tensors.items() if key.startswith('",
                   *prefixes.rbegin(), "')}"));
}

// The number at `begin`, up to the next dot; "" where something else stands there.
absl::string_view NumberAt(absl::string_view name, size_t begin) {
  size_t end = begin;
  while (end < name.size() && absl::ascii_isdigit(static_cast<unsigned char>(name[end]))) ++end;
  return end < name.size() && name[end] == '.' ? name.substr(begin, end - begin) : absl::string_view();
}

// facebookresearch/dinov2 (dinov2/models/vision_transformer.py, DinoVisionTransformer.__init__, block_chunks > 0) keeps
// its blocks in lists of a chunk each, so that FSDP wraps a chunk at a time. A list begins with an Identity in place of
// each block of the chunks before, "to keep the block index consistent": the second number is the block's own.
absl::Status JoinChunks(EncoderKeys* found) {
  constexpr absl::string_view kBlocks = "blocks.";
  Keys joined;
  std::string chunked, whole;
  for (const auto& [name, key] : found->keys) {
    const absl::string_view chunk = absl::StartsWith(name, kBlocks) ? NumberAt(name, kBlocks.size()) : "";
    const size_t rest = kBlocks.size() + chunk.size() + 1;
    if (!chunk.empty()) (NumberAt(name, rest).empty() ? whole : chunked) = key;
    const bool in_chunk = !chunk.empty() && !NumberAt(name, rest).empty();
    RETURN_IF_ERROR(Add(in_chunk ? absl::StrCat(kBlocks, name.substr(rest)) : name, key,
                        "; in chunks of blocks, blocks.CHUNK.BLOCK, each block should have a number of its own",
                        &joined));
  }
  if (chunked.empty()) return absl::OkStatus();
  if (!whole.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("key ", chunked, " is that of a block in a chunk, and ", whole,
                                                   " that of a block in none; all should be in chunks, or none"));
  }
  found->keys = std::move(joined);
  found->notes.push_back("blocks: in chunks, blocks.CHUNK.BLOCK, as DINOv2 trains them");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<EncoderKeys> FindEncoderKeys(const std::vector<std::string>& keys, bool mimeo) {
  EncoderKeys found;
  if (mimeo) {
    for (const std::string& key : keys) found.keys.emplace(key, key);
    return found;
  }
  size_t wrapped = 0;
  for (const std::string& key : keys) {
    const std::string name = WithoutWrappers(key);
    if (name != key) ++wrapped;
    RETURN_IF_ERROR(Add(name, key, "; a file should hold each tensor once", &found.keys));
  }
  if (wrapped > 0) found.notes.push_back(absl::StrCat("keys: ", wrapped, " without the names of torch's wrappers"));
  const std::set<std::string> prefixes = Prefixes(found.keys);
  if (prefixes.size() > 1) return RefuseSeveral(prefixes);
  if (!prefixes.empty() && !prefixes.begin()->empty()) {
    const std::string& prefix = *prefixes.begin();
    Keys stripped;
    for (const auto& [name, key] : found.keys) {
      if (absl::StartsWith(name, prefix)) stripped.emplace(name.substr(prefix.size()), key);
    }
    found.keys = std::move(stripped);
    found.notes.push_back(
        absl::StrCat("keys: ", found.keys.size(), " of ", keys.size(), ", those that begin with ", prefix));
  }
  RETURN_IF_ERROR(JoinChunks(&found));
  return found;
}

}  // namespace mimeo
