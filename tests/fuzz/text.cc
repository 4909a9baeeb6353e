// Names, logs and messages of anybody, made text. The text is valid UTF-8 without control characters, keeps to its
// bound, does not change when it is made text again, and can stand in JSON.
#include <nlohmann/json.hpp>
#include <string>

#include "base/json_text.h"
#include "base/text.h"
#include "tests/fuzz/fuzz_target.h"

namespace mimeo::fuzz {

FUZZ_TARGET(text) {
  for (const size_t bytes_max : {size_t{8}, size_t{17}, size_t{200}}) {
    const std::string text = ToText(bytes, bytes_max), lines = ToLines(bytes, bytes_max);
    for (const std::string& made : {text, lines}) {
      MIMEO_CHECK(made.size() <= bytes_max, made.size(), " bytes; at most ", bytes_max);
      MIMEO_CHECK(IsUtf8(made));
      MIMEO_CHECK(ToLines(made, bytes_max) == made, made);
      for (const char byte : made) MIMEO_CHECK(static_cast<unsigned char>(byte) >= ' ' || byte == '\n' || byte == '\t');
    }
    MIMEO_CHECK(ToText(text, bytes_max) == text, text);
  }
  const std::string name(bytes);
  const std::string line = JsonText({{name, name}, {"list", {name}}});
  MIMEO_CHECK(nlohmann::json::accept(line), line);
  MIMEO_CHECK(ToText(line, line.size() + 8) == line, line);
}

}  // namespace mimeo::fuzz
