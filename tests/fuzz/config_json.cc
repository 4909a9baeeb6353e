// What stands beside weights from anywhere: config.json, preprocessor_config.json and the texts in a file's metadata.
// Whatever they hold, each problem is one line that may be shown, and what is taken from them is a size that makes
// sense.
#include <nlohmann/json.hpp>
#include <string>

#include "base/text.h"
#include "model/weights/stated.h"
#include "tests/fuzz/fuzz_target.h"

namespace mimeo::fuzz {

FUZZ_TARGET(config_json) {
  constexpr size_t kProblemBytes = 1024;
  const std::string text(bytes);
  WeightsSurroundings surroundings;
  for (nlohmann::json* const file : {&surroundings.config, &surroundings.preprocessor}) {
    *file = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!file->is_object()) *file = nlohmann::json::object();
  }
  // A file's metadata is JSON too, so its texts are UTF-8.
  if (IsUtf8(text)) {
    for (const char* key : {"num_heads", "norm_epsilon", "activation", "image_height_px", "image_width_px", "job"}) {
      surroundings.metadata[key] = text;
    }
  }
  const Stated stated = ReadStated(surroundings);
  for (const std::string& problem : stated.problems) {
    MIMEO_CHECK(problem.size() <= kProblemBytes, "a problem of ", problem.size(), " bytes");
    MIMEO_CHECK(ToText(problem, kProblemBytes) == problem, "a problem that is no text: ", ToText(problem));
  }
  if (stated.heads.has_value()) MIMEO_CHECK(stated.heads->value > 0);
  if (stated.norm_epsilon.has_value()) MIMEO_CHECK(stated.norm_epsilon->value > 0 || stated.job.has_value());
  if (stated.image_px.has_value()) {
    MIMEO_CHECK(stated.image_px->value.first > 0 && (stated.image_px->value.second > 0 || stated.job.has_value()));
  }
}

}  // namespace mimeo::fuzz
