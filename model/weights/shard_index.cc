#include "model/weights/shard_index.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/foreign_file.h"
#include "base/text.h"

namespace mimeo {
namespace {

using Json = nlohmann::json;

constexpr size_t kNamed = 8;  // of many, so many are named in a message

std::string Quoted(absl::string_view name) { return absl::StrCat("\"", ToText(name, 200), "\""); }

// The plain name of a file in the folder of the index.
bool IsPlainName(const std::string& name) {
  return !name.empty() && name.size() <= 255 && name != "." && name != ".." &&
         name.find_first_of(std::string("/\\\0", 3)) == std::string::npos;
}

// A JSON parser keeps one of two equal keys without a word. This one notes every key of weight_map that comes twice.
Json ParseNotingTwice(absl::string_view text, std::vector<std::string>* twice) {
  std::set<std::string> seen;
  std::string section;
  const auto note = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (event != Json::parse_event_t::key) return true;
    if (depth == 1) section = parsed.get<std::string>();
    if (depth == 2 && section == "weight_map" && !seen.insert(parsed.get<std::string>()).second) {
      twice->push_back(absl::StrCat("it names the tensor ", Quoted(parsed.get<std::string>()), " twice"));
    }
    return true;
  };
  return Json::parse(text.begin(), text.end(), note, /*allow_exceptions=*/false);
}

// The first few of them.
std::string Few(const std::vector<std::string>& names) {
  std::vector<std::string> few(names.begin(), names.begin() + std::min(names.size(), kNamed));
  if (names.size() > kNamed) few.push_back(absl::StrCat("and ", names.size() - kNamed, " more"));
  return absl::StrJoin(few, ", ");
}

}  // namespace

bool IsShardIndex(absl::string_view path) { return absl::EndsWith(path, ".index.json"); }

absl::StatusOr<ShardIndex> ParseShardIndex(absl::string_view text) {
  std::vector<std::string> problems;
  const Json json = ParseNotingTwice(text, &problems);
  if (!json.is_object()) {
    const std::string foreign = absl::StartsWith(text, "{") ? "" : ForeignFile(text);
    return absl::InvalidArgumentError(
        absl::StrCat("no index of shards: ", foreign.empty() ? "it is cut off, or no JSON object" : foreign));
  }
  if (!json.contains("weight_map") || !json["weight_map"].is_object() || json["weight_map"].empty()) {
    return absl::InvalidArgumentError(
        "no index of shards: it has no `weight_map`, which should say for each tensor in which file it is");
  }
  ShardIndex index;
  for (const auto& [key, shard] : json["weight_map"].items()) {
    if (!shard.is_string() || !IsPlainName(shard.get<std::string>())) {
      problems.push_back(absl::StrCat("weight_map has ",
                                      ToText(shard.dump(-1, ' ', true, Json::error_handler_t::replace)), " for ",
                                      Quoted(key), "; it should be the name of a file beside the index"));
    } else {
      index[shard.get<std::string>()].insert(key);
    }
  }
  if (index.size() > kShards) {
    problems.push_back(absl::StrCat("it names ", index.size(), " files; at most ", kShards, " are read"));
  }
  if (!problems.empty()) return absl::InvalidArgumentError(Few(problems));
  return index;
}

std::vector<std::string> CompareShard(const ShardIndex& index, const std::string& shard,
                                      const std::set<std::string>& keys) {
  std::vector<std::string> problems;
  std::vector<std::string> lacks, unnamed;
  for (const std::string& key : index.at(shard)) {
    if (keys.count(key) == 0) lacks.push_back(Quoted(key));
  }
  for (const std::string& key : keys) {
    if (index.at(shard).count(key) > 0) continue;
    const auto other =
        std::find_if(index.begin(), index.end(), [&](const auto& at) { return at.second.count(key) > 0; });
    if (other == index.end()) {
      unnamed.push_back(Quoted(key));
    } else {
      problems.push_back(absl::StrCat(shard, " holds ", Quoted(key), ", which the index has in ", other->first));
    }
  }
  if (problems.size() > kNamed) problems = {Few(problems)};
  if (!lacks.empty()) {
    problems.push_back(absl::StrCat(shard, " lacks ", Few(lacks), ", which the index has in it"));
  }
  if (!unnamed.empty()) problems.push_back(absl::StrCat(shard, " holds ", Few(unnamed), ", which the index lacks"));
  return problems;
}

std::string WholeOfShard(absl::string_view path) {
  const absl::string_view name = path.substr(path.rfind('/') + 1);
  const size_t of = name.rfind("-of-");
  if (of == absl::string_view::npos || of < 6 || name.size() < of + 10) return "";
  const auto is_number = [](absl::string_view digits) {
    return std::all_of(digits.begin(), digits.end(), [](unsigned char c) { return absl::ascii_isdigit(c); });
  };
  if (name[of - 6] != '-' || !is_number(name.substr(of - 5, 5)) || !is_number(name.substr(of + 4, 5))) return "";
  return absl::StrCat("it is one of ", name.substr(of + 4, 5),
                      " shards of a model: give the folder, or the index beside it, ", name.substr(0, of - 6),
                      name.substr(of + 9), ".index.json");
}

}  // namespace mimeo
