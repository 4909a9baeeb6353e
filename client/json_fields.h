// Fields of JSON that another process wrote. No function throws: what is missing or of another type is a value that
// says so. Pure; thread-safe.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace mimeo {

// The number under `key`; none where there is no such field, or where it holds something else, such as null.
inline std::optional<double> NumberAt(const nlohmann::json& json, const std::string& key) {
  const auto found = json.is_object() ? json.find(key) : json.end();
  if (found == json.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

inline int64_t CountAt(const nlohmann::json& json, const std::string& key) {
  return static_cast<int64_t>(NumberAt(json, key).value_or(0));
}

// Empty where there is no such string.
inline std::string TextAt(const nlohmann::json& json, const std::string& key) {
  const auto found = json.is_object() ? json.find(key) : json.end();
  return found == json.end() || !found->is_string() ? "" : found->get<std::string>();
}

// The list or object under `key`; null where there is none.
inline const nlohmann::json& PartAt(const nlohmann::json& json, const std::string& key) {
  static const nlohmann::json* const kNone = new nlohmann::json();
  const auto found = json.is_object() ? json.find(key) : json.end();
  return found == json.end() ? *kNone : *found;
}

}  // namespace mimeo
