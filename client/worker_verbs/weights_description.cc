#include "client/worker_verbs/weights_description.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "client/json_fields.h"
#include "client/worker_verbs/worker_json.h"
#include "job/job_spec.h"

namespace mimeo {
namespace {

using nlohmann::json;

std::vector<double> Numbers(const json& object, const char* name) {
  std::vector<double> numbers;
  if (!object.contains(name)) return numbers;
  for (const json& number : object[name]) {
    if (number.is_number()) numbers.push_back(number.get<double>());
  }
  return numbers;
}

int64_t WholeNumberAt(const json& object, const char* name) {
  return object.contains(name) && object[name].is_number_integer() ? object[name].get<int64_t>() : 0;
}

}  // namespace

absl::StatusOr<WeightsDescription> ParseWeightsDescription(const json& object) {
  WeightsDescription weights;
  if (!object.contains("encoder") || !object["encoder"].is_string()) {
    return absl::InternalError("worker describe: no text \"encoder\" in what it printed");
  }
  ASSIGN_OR_RETURN(const JobSpec recipe, ParseRecipe(object["encoder"].get<std::string>(), "worker describe"));
  weights.encoder = recipe.encoder();
  weights.path = TextAt(object, "path");
  weights.family = TextAt(object, "family");
  weights.parameters = WholeNumberAt(object, "parameters");
  weights.channels = static_cast<int>(WholeNumberAt(object, "channels"));
  weights.height_px = static_cast<int>(WholeNumberAt(object, "height_px"));
  weights.width_px = static_cast<int>(WholeNumberAt(object, "width_px"));
  weights.pixel_mean = Numbers(object, "pixel_mean");
  weights.pixel_std = Numbers(object, "pixel_std");
  if (weights.channels < 1 || weights.height_px < 1 || weights.width_px < 1) {
    return absl::InternalError("worker describe: no size of images in what it printed");
  }
  return weights;
}

absl::StatusOr<WeightsDescription> DescribeWeights(const std::string& flag, const std::string& path) {
  const auto described = WorkerJson({"describe", "--weights", path});
  if (absl::IsInvalidArgument(described.status())) {
    return absl::InvalidArgumentError(absl::StrCat(flag, " ", ToText(path), ": ", described.status().message()));
  }
  RETURN_IF_ERROR(described.status());
  return ParseWeightsDescription(*described);
}

}  // namespace mimeo
